#include "graft/optim/strong_wolfe.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace graft {
namespace {

constexpr double kDecrease = 1e-4, kCurvature = 0.9;

bool is_too_high(const LinePoint& point, const LinePoint& start) {
  return point.value > start.value + kDecrease * point.step * start.slope;
}
bool is_flat(const LinePoint& point, const LinePoint& start) {
  return std::abs(point.slope) <= -kCurvature * start.slope;
}

/// Where the cubic through two points and their slopes is lowest, within the limits; half way where it has no minimum.
double cubic_minimum(const LinePoint& a, const LinePoint& b, double low, double high) {
  const double mean = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step);
  const double square = mean * mean - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const double root = std::sqrt(square);
  const double place = a.step <= b.step
                           ? b.step - (b.step - a.step) * ((b.slope + root - mean) / (b.slope - a.slope + 2 * root))
                           : a.step - (a.step - b.step) * ((a.slope + root - mean) / (a.slope - b.slope + 2 * root));
  return std::min(std::max(place, low), high);
}

/// Two points round a step that will do, or that step itself twice.
struct Bracket {
  std::array<LinePoint, 2> ends;
  bool found = false;
  std::int64_t steps = 0;

  std::size_t low() const { return ends[0].value <= ends[1].value ? 0 : 1; }
};

Bracket find_bracket(const Line& line, const LinePoint& start, const LineSearch& search) {
  LinePoint before = start, here = line(search.first_step);
  std::int64_t steps = 0;
  for (; steps < search.max_steps; ++steps) {
    if (is_too_high(here, start) || (steps > 1 && here.value >= before.value)) return {{before, here}, false, steps};
    if (is_flat(here, start)) return {{here, here}, true, steps};
    if (here.slope >= 0) return {{before, here}, false, steps};
    const double next = cubic_minimum(before, here, here.step + 0.01 * (here.step - before.step), here.step * 10);
    before = std::move(here);
    here = line(next);
  }
  return {{start, here}, false, steps};
}

/// The step to try within a bracket. One close to an end is moved inwards where the step before was close to one too.
double step_within(const Bracket& bracket, bool& was_close) {
  const auto [low, high] = std::minmax(bracket.ends[0].step, bracket.ends[1].step);
  const double step = cubic_minimum(bracket.ends[0], bracket.ends[1], low, high);
  const double margin = 0.1 * (high - low);
  const bool is_close = std::min(high - step, step - low) < margin;
  const bool moves = is_close && (was_close || step >= high || step <= low);
  was_close = is_close && !moves;
  if (!moves) return step;
  return std::abs(step - high) < std::abs(step - low) ? high - margin : low + margin;
}

}  // namespace

double largest_magnitude(const at::Tensor& vector) { return vector.abs().max().item<double>(); }

double dot_product(const at::Tensor& a, const at::Tensor& b) { return at::dot(a, b).item<double>(); }

LinePoint strong_wolfe(const Line& line, const LinePoint& start, const LineSearch& search) {
  Bracket bracket = find_bracket(line, start, search);
  auto& ends = bracket.ends;
  std::size_t low = bracket.low();
  bool was_close = false;
  for (; !bracket.found && bracket.steps < search.max_steps; ++bracket.steps) {
    if (std::abs(ends[1].step - ends[0].step) * search.direction_size < search.tolerance_change) break;
    LinePoint point = line(step_within(bracket, was_close));
    if (is_too_high(point, start) || point.value >= ends[low].value) {
      ends[1 - low] = std::move(point);
      low = bracket.low();
      continue;
    }
    bracket.found = is_flat(point, start);
    if (!bracket.found && point.slope * (ends[1 - low].step - ends[low].step) >= 0) ends[1 - low] = ends[low];
    ends[low] = std::move(point);
  }
  return ends[low];
}

}  // namespace graft
