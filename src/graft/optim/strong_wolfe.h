#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace graft {

/// A function along a line: at `step` its value, its gradient and the gradient's part along the line.
struct LinePoint {
  double step = 0;
  double value = 0;
  at::Tensor gradient;
  double slope = 0;
};
using Line = std::function<LinePoint(double step)>;

/// What a walk over all images measures of gradients and directions, double [N].
double largest_magnitude(const at::Tensor& vector);
double dot_product(const at::Tensor& a, const at::Tensor& b);

struct LineSearch {
  double first_step = 1;
  double direction_size = 1;    ///< the largest magnitude in the line's direction
  double tolerance_change = 0;  ///< a bracket that moves no coordinate by more ends the search
  std::int64_t max_steps = 25;  ///< beyond the first
};

/// Looks for a step under the strong Wolfe conditions with c1 = 1e-4 and c2 = 0.9 (Nocedal and Wright 2006, algorithms
/// 3.5 and 3.6, in the form of torch.optim.LBFGS); the lowest of the last bracket where the steps ran out.
/// @param start  the line at step 0, with a negative slope
LinePoint strong_wolfe(const Line& line, const LinePoint& start, const LineSearch& search);

}  // namespace graft
