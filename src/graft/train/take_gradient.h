#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "graft/optim/optimizer.h"
#include "graft/optim/penalty.h"
#include "graft/train/distillation.h"
#include "graft/train/loss.h"
#include "graft/train/mix.h"
#include "graft/train/network.h"

namespace graft {

/// What training images are held against.
struct TrainingLoss {
  Loss loss;
  at::Tensor targets;  ///< int64 [N], of all training images
  LossWeights weights;
  Distillation distillation{};

  /// What some of the images count.
  double weight_of(const at::Tensor& rows) const;
  /// Their part in the loss of a step whose images count `weight`, a scalar.
  at::Tensor operator()(const at::Tensor& logits, const MixedRows& rows, double weight) const;
};

/// What a phase's steps take gradients with.
struct StepParts {
  Network& network;
  Optimizer& optimizer;
  const TrainingLoss& loss;
  const Penalty& penalty;
  std::int64_t batch_size;  ///< of which a step's images may be several batches, computed one after the other
};

/// Sets the gradients to those that a step of the optimizer asks for, penalty and all: taken once, or of sam twice.
/// Running statistics follow the first pass alone, as if there were no second, and both draw the same: what the network
/// draws goes by the mixing's seed and phase, and by the step.
/// @param step  of the phase
/// @param activations  of the images `rows`, int64 [N]; may be written to
/// @returns the loss where the parameters stand, without the penalty; no finite number where one of them is none
double take_gradient(const StepParts& parts, const Mixing& mixing, std::int64_t step, at::Tensor activations,
                     const at::Tensor& rows);

}  // namespace graft
