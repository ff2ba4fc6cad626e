#include "graft/train/ridge.h"

#include <ATen/ATen.h>

namespace graft {

at::Tensor leave_one_out_scores(const at::Tensor& features, const at::Tensor& targets, double penalty) {
  TORCH_CHECK(features.dim() == 2 && features.size(0) >= 2 && penalty > 0, "ridge needs two images and a penalty");
  const at::Tensor x = features.to(at::kDouble), centred = x - x.mean(0, true);
  const at::Tensor y = at::one_hot(targets).to(at::kDouble);
  const std::int64_t count = x.size(0);
  // In the images' own space, which is the smaller one: hat = 1/N + K (K + penalty)^-1.
  const at::Tensor kernel = centred.matmul(centred.t());
  const at::Tensor damped = kernel + penalty * at::eye(count, kernel.options());
  const at::Tensor hat = at::linalg_solve(damped, kernel) + 1.0 / static_cast<double>(count);
  const at::Tensor missing = 1 - hat.diagonal().unsqueeze(1);  // what an image's own label does not decide
  return y - (y - hat.matmul(y)) / missing;
}

}  // namespace graft
