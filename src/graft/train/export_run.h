#pragma once
#include <functional>
#include <map>
#include <string>

#include "graft/core/trust.h"
#include "graft/data/dataset.h"
#include "graft/train/network.h"
#include "graft/train/recipe.h"
#include "graft/train/run_folder.h"

namespace graft {

/// What an artifact is made of at the end of a run.
struct FinishedRun {
  const Recipe& recipe;
  const Json& backbone_facts;
  const Dataset& dataset;
  const std::map<std::string, at::Tensor>& best;  ///< "head.…", "backbone.…"
  Network& network;                               ///< as trained; set to `best` on return
  Trust trust = Trust::kScan;                     ///< in the backbone's program, which goes into the artifact
};

/// Reloads the backbone's file, repeats the surgery, sets the best tensors, writes model.pt, reloads and compares it
/// with the trained network, measures the final figures on that file, and writes them into it and into metrics.json.
/// @return metrics by split: {"val": {…}, "test": {…}}
Json export_run(const FinishedRun& run, const RunFolder& folder,
                const std::function<void(const std::string&)>& message);

}  // namespace graft
