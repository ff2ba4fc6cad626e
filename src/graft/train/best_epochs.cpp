#include "graft/train/best_epochs.h"

#include <filesystem>

#include "graft/core/files.h"
#include "graft/train/network.h"

namespace graft {
namespace {

bool phase_best_is_best(const Progress& progress) { return to_json(progress.phase_best) == to_json(progress.best); }

}  // namespace

bool BestEpochs::offer(const Tensors& tensors, const std::string& metric, double value, Progress& progress) {
  const auto improve = [&](Best& best, Tensors& kept) {
    if (best.known && !is_better(metric, value, best.value)) return false;
    best = {true, value, progress.phase, progress.epoch};
    kept = copy_tensors(tensors);
    return true;
  };
  const bool best = improve(progress.best, run_);
  run_is_new_ = run_is_new_ || best;
  progress.epochs_without_better = improve(progress.phase_best, phase_) ? 0 : progress.epochs_without_better + 1;
  return best;
}

void BestEpochs::put_into(Checkpoint& last, const Progress& progress) const {
  if (!phase_best_is_best(progress)) last.put("phase_best", phase_);
}

void BestEpochs::save_before_last(const RunFolder& folder, const Progress& progress) const {
  if (run_is_new_) save_best(folder.next_best_checkpoint(), progress, run_);
}

void BestEpochs::save_behind_last(const RunFolder& folder) {
  if (run_is_new_) rename_file(folder.next_best_checkpoint(), folder.best_checkpoint());
  run_is_new_ = false;
}

void BestEpochs::restore(const RunFolder& folder, const StoredRun& run) {
  run_ = best_tensors(folder, run);
  phase_ = phase_best_is_best(run.progress) ? run_ : run.last.under("phase_best");
  if (run.progress.best.known) save_best(folder.best_checkpoint(), run.progress, run_);
  std::filesystem::remove(folder.next_best_checkpoint());
}

}  // namespace graft
