#include "graft/core/whitening.h"

#include <ATen/ATen.h>

namespace graft {

const std::vector<std::string>& whitening_kinds() {
  static const std::vector<std::string> kKinds{"pca", "zca"};
  return kKinds;
}

at::Tensor whitening_matrix(const std::string& kind, const at::Tensor& covariance, double eps) {
  const auto [variances, vectors] = at::linalg_eigh(covariance);
  const at::Tensor components = vectors.t().flip(0);
  const at::Tensor scale = (variances.flip(0).clamp_min(0) + eps).rsqrt().unsqueeze(1);
  if (kind == "zca") return components.t().matmul(components * scale);
  const at::Tensor largest = components.gather(1, components.abs().argmax(1, true));
  return components * largest.sign() * scale;
}

}  // namespace graft
