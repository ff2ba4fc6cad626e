#pragma once
#include <functional>
#include <string>

#include "graft/train/export_model.h"
#include "graft/train/progress.h"
#include "graft/train/run_folder.h"

namespace graft {

/// Ends a run: exports its best epoch as model.pt and writes predictions.csv and metrics.json.
/// @param best  the tensors of the best epoch
/// @param trained_parameters  numbers that some phase has trained
/// @return what metrics.json holds
Json export_run(const ModelSource& best, const Progress& progress, std::int64_t trained_parameters,
                const RunFolder& folder, const std::function<void(const std::string&)>& message);

}  // namespace graft
