#include "graft/train/take_gradient.h"

#include <torch/types.h>

#include <cmath>

#include "graft/core/random.h"
#include "graft/train/training_samples.h"

namespace graft {
namespace {

/// At the parameters as they are. @returns the loss
double gradient_here(const StepParts& parts, const at::Tensor& activations, const MixedRows& rows, std::uint64_t seed) {
  seed_torch(seed);
  parts.optimizer.zero_grad();
  const double weight = parts.loss.weight_of(rows.own);
  double sum = 0;
  for (const auto& batch : paired_batches(static_cast<std::size_t>(rows.own.size(0)), parts.batch_size)) {
    const auto begin = batch.front(), size = static_cast<std::int64_t>(batch.size());
    const at::Tensor logits = parts.network.logits(activations.narrow(0, begin, size));
    const at::Tensor loss = parts.loss(logits, rows.narrow(begin, size), weight);
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

at::Tensor TrainingLoss::operator()(const at::Tensor& logits, const MixedRows& rows, double weight) const {
  return rows.loss([&](const at::Tensor& some) {
    const at::Tensor of_some = targets.index_select(0, some).to(logits.device());
    const LossWeights weights_of_some = weights.of(some);
    const at::Tensor of_labels = loss(logits, of_some, weights_of_some);
    return weight_of(some) / weight * distillation.added_to(of_labels, logits, some, of_some, weights_of_some);
  });
}

double take_gradient(const StepParts& parts, const Mixing& mixing, std::int64_t step, at::Tensor activations,
                     const at::Tensor& rows) {
  const MixedRows mixed = mixing.at(step).rows(rows);
  activations = mixing.of_activations(step, std::move(activations));
  const auto seed = derive_seed(mixing.seed, "dropout", mixing.phase, static_cast<std::uint64_t>(step));
  if (!parts.optimizer.ascends()) return gradient_here(parts, activations, mixed, seed);
  const double value = gradient_here(parts, activations.clone(), mixed, seed);
  const auto buffers = parts.network.moving_buffers();
  const auto moved = copy_tensors(buffers);
  parts.optimizer.ascend();
  const double nearby = gradient_here(parts, activations, mixed, seed);
  restore_tensors(buffers, moved, "running statistics");
  return std::isfinite(nearby) ? value : nearby;
}

}  // namespace graft
