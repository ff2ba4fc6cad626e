#include "graft/train/take_gradient.h"

namespace graft {

double take_gradient(Optimizer& optimizer, const Network& network, const at::Tensor& activations,
                     const std::function<double(const at::Tensor& activations)>& gradient) {
  if (!optimizer.ascends()) return gradient(activations);
  const double value = gradient(activations.clone());
  const auto buffers = network.moving_buffers();
  const auto moved = copy_tensors(buffers);
  optimizer.ascend();
  gradient(activations);
  restore_tensors(buffers, moved, "running statistics");
  return value;
}

}  // namespace graft
