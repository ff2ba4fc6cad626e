#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

#include "graft/optim/optimizer.h"
#include "graft/train/network.h"

namespace graft {

/// Computes the gradient that a step of the optimizer asks for: once, or of sam twice. Running statistics follow the
/// first pass alone, as if there were no second.
/// @param gradient  sets the gradients for activations that it may write to; gives the loss
/// @returns the loss where the parameters stand
double take_gradient(Optimizer& optimizer, const Network& network, const at::Tensor& activations,
                     const std::function<double(const at::Tensor& activations)>& gradient);

}  // namespace graft
