#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

namespace graft {

/// Numbers by name, in the order in which they are shown.
using Figures = std::vector<std::pair<std::string, double>>;

/// Figures of a whole set of predictions, one class each, in the table's order: weighted_f1, mcc, kappa, top_5, auroc,
/// average_precision, brier, ece. scikit-learn's definitions, but for ece: Guo et al. 2017 with 15 bins (low, high] of
/// the largest probability. One that is undefined is left out: kappa where one class is all there is, top_5 with five
/// classes or fewer, auroc and average_precision (means over the classes, one against the rest) where a class has no
/// image. brier is summed over the classes, and halved where there are two.
std::vector<std::string> score_names();
/// @param probabilities  [N, C], rows summing to one, on the CPU
/// @param targets  int64 [N], on the CPU; N at least 1
/// @param confusion  int64 [C, C], true by predicted
/// @param names  of those wanted; what is no score is passed over
Figures prediction_scores(const at::Tensor& probabilities, const at::Tensor& targets, const at::Tensor& confusion,
                          const std::vector<std::string>& names);

}  // namespace graft
