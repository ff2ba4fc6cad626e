#include "graft/optim/update_rule.h"

#include <ATen/ATen.h>

namespace graft {

std::vector<at::Tensor> UpdateRule::Batch::decayed_gradients(double decay) const {
  return weight_decay && decay != 0 ? at::_foreach_add(gradients, parameters, decay) : gradients;
}

void UpdateRule::Batch::decay_parameters(double decay) {
  if (weight_decay && decay != 0) at::_foreach_mul_(parameters, 1 - lr * decay);
}

std::vector<double> UpdateRule::Batch::count_step(std::size_t slot) {
  std::vector<double> counts;
  for (auto& count : slots[slot]) counts.push_back(count.add_(1).item<double>());
  return counts;
}

}  // namespace graft
