#pragma once
#include <functional>
#include <map>
#include <string>

#include "graft/train/checkpoint.h"
#include "graft/train/progress.h"
#include "graft/train/run_folder.h"
#include "graft/train/trainer.h"

namespace graft {

/// A run as its folder holds it.
struct StoredRun {
  RunSpec spec;
  Checkpoint last;
  Progress progress;
};

/// @throws Error when the folder holds no run.
StoredRun read_stored_run(const RunFolder& folder, RunEnvironment environment);

/// The images of a run, read and split as its recipe says.
/// @param on_message  told what an earlier run has left; may be empty
/// @throws Error as load_dataset does, and when fewer than two images train.
Dataset load_run_data(const RunSpec& spec, const std::function<void(const SkippedImage&)>& on_skipped,
                      const std::function<void(const std::string&)>& on_message = {});
/// @throws Error when images, labels or split are no longer those of the run.
void check_same_data(const StoredRun& run, const Dataset& dataset);
/// @throws Error when the backbone's file is not the one that the recipe names.
void check_backbone_file(const Recipe& recipe);
/// SHA-256 over content, label and split of every image, whatever folder they lie in.
std::string digest_of(const Dataset& dataset);

/// The tensors of the run's best epoch under "network", and which it is.
void save_best(const std::filesystem::path& file, const Progress& progress,
               const std::map<std::string, at::Tensor>& best);
/// The tensors of the run's best epoch; none where no epoch has ended.
/// @throws Error when neither best.pt nor what was to become it has them.
std::map<std::string, at::Tensor> best_tensors(const RunFolder& folder, const StoredRun& run);

}  // namespace graft
