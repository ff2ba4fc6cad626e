#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "graft/core/trust.h"
#include "graft/train/observer.h"
#include "graft/train/run_folder.h"

namespace graft {

/// Which state of a run becomes an artifact, and what that computes in.
struct CheckpointChoice {
  /// One of checkpoint_names(): the best epoch, where the run stands, or the running mean there.
  std::string checkpoint = "best";
  std::string precision = "fp32";  ///< one of precision_names()
  Trust trust = Trust::kScan;      ///< in the backbone's file
};
const std::vector<std::string>& checkpoint_names();

/// Exports a finished or a stopped run anew, from its backbone's file, its checkpoint and its images, on the CPU. The
/// file is proven and measured as model.pt of the run is.
/// @param observer  told of images that are left out, and of messages
/// @return {"checkpoint", "precision", "phase", "epoch", "metrics": by split, measured on the file}
/// @throws Error when the folder holds no run with a finished epoch, its images or its backbone have changed, or `file`
/// is there already.
Json export_checkpoint(const RunFolder& folder, const std::filesystem::path& file, const CheckpointChoice& choice,
                       Observer& observer);

}  // namespace graft
