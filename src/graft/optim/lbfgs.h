#pragma once
#include <cstdint>
#include <stop_token>

#include "graft/optim/minimum.h"

namespace graft {

/// torch.optim.LBFGS's options and defaults.
struct LbfgsOptions {
  double lr = 1;  ///< the first step that is tried, or, with no line search, every step
  std::int64_t max_iter = 20;
  std::int64_t max_eval = 25;
  double tolerance_grad = 1e-7;    ///< of the gradient's largest magnitude
  double tolerance_change = 1e-9;  ///< of the value, and of the point's largest change
  std::int64_t history_size = 100;
  bool strong_wolfe = false;  ///< "line_search_fn"
};
/// Of the recipe's {"lbfgs": {...}}, which names "C" too (linear_probe.h).
LbfgsOptions lbfgs_options(const OptimizerSpec& spec);

/// Limited-memory BFGS (Nocedal 1980; Liu and Nocedal 1989) as one step of torch.optim.LBFGS takes it.
/// @param start  float32 or float64 [n]; stays as it is
Minimum minimize_lbfgs(const Objective& objective, const at::Tensor& start, const LbfgsOptions& options,
                       const std::stop_token& stop = {});

}  // namespace graft
