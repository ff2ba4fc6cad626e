#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace graft {

/// "pca": along the principal components, the largest first, signed as scikit-learn signs them (the largest number of
/// each is positive); "zca" (Bell and Sejnowski 1997): turned back, so that each output stays near its input.
const std::vector<std::string>& whitening_kinds();

/// The matrix [D, D] that makes of centred columns [D, N] of that covariance some without correlation, each with the
/// variance v / (v + eps) along a component of variance v.
/// @param covariance  float64 [D, D]
at::Tensor whitening_matrix(const std::string& kind, const at::Tensor& covariance, double eps);

}  // namespace graft
