#include "graft/train/take_gradient.h"

#include <torch/torch.h>

#include <cmath>

#include "graft/core/random.h"
#include "graft/train/training_samples.h"

namespace graft {
namespace {

/// At the parameters as they are. @returns the loss
double gradient_here(const StepParts& parts, const at::Tensor& activations, const std::vector<std::int64_t>& rows,
                     std::uint64_t seed) {
  seed_torch(seed);
  parts.optimizer.zero_grad();
  const at::Tensor index = torch::tensor(rows);
  const double weight = parts.loss.weight_of(index);
  double sum = 0;
  for (const auto& batch : paired_batches(rows.size(), parts.batch_size)) {
    const auto size = static_cast<std::int64_t>(batch.size());
    const at::Tensor of_batch = index.narrow(0, batch.front(), size);
    const at::Tensor logits = parts.network.logits(activations.narrow(0, batch.front(), size));
    const at::Tensor loss = parts.loss.weight_of(of_batch) / weight * parts.loss(logits, of_batch);
    sum += loss.item<double>();
    loss.backward();
  }
  parts.penalty.add_gradient();
  return sum;
}

}  // namespace

double TrainingLoss::weight_of(const at::Tensor& rows) const {
  return weights.of(rows).counts(targets.index_select(0, rows), at::kDouble).sum().item<double>();
}

at::Tensor TrainingLoss::operator()(const at::Tensor& logits, const at::Tensor& rows) const {
  return loss(logits, targets.index_select(0, rows).to(logits.device()), weights.of(rows));
}

double take_gradient(const StepParts& parts, const at::Tensor& activations, const std::vector<std::int64_t>& rows,
                     std::uint64_t seed) {
  if (!parts.optimizer.ascends()) return gradient_here(parts, activations, rows, seed);
  const double value = gradient_here(parts, activations.clone(), rows, seed);
  const auto buffers = parts.network.moving_buffers();
  const auto moved = copy_tensors(buffers);
  parts.optimizer.ascend();
  const double nearby = gradient_here(parts, activations, rows, seed);
  restore_tensors(buffers, moved, "running statistics");
  return std::isfinite(nearby) ? value : nearby;
}

}  // namespace graft
