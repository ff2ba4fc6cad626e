#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <stop_token>

#include "graft/optim/optimizer.h"

namespace graft {

/// What a function is at a point: its value, and its gradient, laid out like the point.
struct Evaluation {
  double value = 0;
  at::Tensor gradient;
};
using Objective = std::function<Evaluation(const at::Tensor& point)>;

/// A vector -> the Hessian at some point times that vector, laid out like the point.
using HessianProduct = std::function<at::Tensor(const at::Tensor& vector)>;

/// A function that can be minimised, with what methods of second order ask for.
struct SmoothFunction {
  Objective evaluate;
  std::function<HessianProduct(const at::Tensor& point)> hessian;
};

struct Minimum {
  at::Tensor point;
  double value = 0;
  std::int64_t iterations = 0;
  std::int64_t evaluations = 0;
  bool converged = false;  ///< a tolerance ended it, and not a number of iterations or evaluations or the stop
};

/// Minimises as the optimizer says, which must be one that is full_batch().
/// @param start  float32 or float64 [n]; stays as it is
Minimum minimize(const OptimizerSpec& spec, const SmoothFunction& function, const at::Tensor& start,
                 const std::stop_token& stop = {});

}  // namespace graft
