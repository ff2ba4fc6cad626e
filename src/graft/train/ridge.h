#pragma once
#include <ATen/core/Tensor.h>

namespace graft {

/// What a ridge regression onto the classes (1 for the own, 0 for the others; intercepts unpenalised) says of each
/// image that was left out when it was fitted: float64 [N, C], by the closed form, without N fits.
/// @param features  float [N, F], at least two
/// @param targets   int64 [N]
/// @param penalty   above 0: of the squared weights; scikit-learn's Ridge(alpha)
at::Tensor leave_one_out_scores(const at::Tensor& features, const at::Tensor& targets, double penalty);

}  // namespace graft
