#pragma once
#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "graft/train/checkpoint.h"
#include "graft/train/progress.h"
#include "graft/train/run_folder.h"
#include "graft/train/stored_run.h"

namespace graft {

/// The tensors of the best epoch of the run, which is exported, and of the phase, from which the next one starts.
class BestEpochs {
 public:
  using Tensors = std::map<std::string, at::Tensor>;

  const Tensors& of_run() const { return run_; }
  const Tensors& of_phase() const { return phase_; }

  /// Keeps a copy of the tensors with which an epoch has ended where they are the best so far, and says so in
  /// `progress`.
  /// @return whether they are the best of the run
  bool offer(const Tensors& tensors, const std::string& metric, double value, Progress& progress);
  void end_phase() { phase_.clear(); }

  /// Nothing is written twice: last.pt leaves the best tensors to best.pt, and those of the phase where they are the
  /// same.
  void put_into(Checkpoint& last, const Progress& progress) const;
  /// Write best.pt where it does not hold the best epoch yet: under another name until last.pt, written between the
  /// two, speaks of that epoch. Whenever a run is killed, best_tensors finds them.
  void save_before_last(const RunFolder& folder, const Progress& progress) const;
  void save_behind_last(const RunFolder& folder);
  void restore(const RunFolder& folder, const StoredRun& run);

 private:
  Tensors run_;
  Tensors phase_;
  bool run_is_new_ = false;  // since best.pt was written
};

}  // namespace graft
