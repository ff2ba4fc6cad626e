#include "graft/train/fit_head.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "graft/head/whitening.h"

namespace graft {

bool fit_head(Network& network, const HeadSpec& head, FrozenActivations& train, std::int64_t batch_size,
              const FrozenProgress& progress, const std::stop_token& stop) {
  if (!whitens(head)) return true;
  const torch::NoGradGuard no_grad;
  network.eval();
  RunningMoments moments;
  train.for_each_batch(
      batches_in_order(train.samples().size(), batch_size), 0,
      [&](at::Tensor activations, const auto&) { moments.add(network.features(std::move(activations))); }, progress,
      stop);
  if (moments.count() < static_cast<std::int64_t>(train.samples().size())) return false;
  set_whitening(network.head(), head, moments);
  return true;
}

}  // namespace graft
