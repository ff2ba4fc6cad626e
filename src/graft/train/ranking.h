#pragma once
#include <ATen/core/Tensor.h>

namespace graft {

/// Areas under the curves that the threshold draws as it falls through scores, which should be high where an image is a
/// hit; scikit-learn's roc_auc_score and average_precision_score.
/// @param scores  double [N]
/// @param hits  double [N], 1 or 0; both occur (of the second: 1 occurs)
double area_under_roc(const at::Tensor& scores, const at::Tensor& hits);
double area_under_precision_recall(const at::Tensor& scores, const at::Tensor& hits);

/// Places 1 … N in ascending order, equal values sharing the mean of theirs: double [N] of double [N].
at::Tensor ranks_of(const at::Tensor& values);

}  // namespace graft
