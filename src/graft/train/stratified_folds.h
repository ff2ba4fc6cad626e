#pragma once
#include <cstdint>
#include <vector>

namespace graft {

/// The fold, 0 … folds - 1, in which each sample is tested, so that every class is spread evenly: those of
/// scikit-learn's StratifiedKFold without shuffling.
/// @param labels  0 … classes - 1
std::vector<std::int64_t> stratified_folds(const std::vector<std::int64_t>& labels, std::int64_t folds);

}  // namespace graft
