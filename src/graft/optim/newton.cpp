#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "graft/optim/optimizer_rules.h"
#include "graft/optim/strong_wolfe.h"

namespace graft {
namespace {

// ---- options ----

Json newton_cg_options(JsonReader& reader) {
  Json options;
  options["max_iter"] = reader.integer("max_iter", 100, Range::between(1, kMostIterations));
  options["max_inner"] = reader.integer("max_inner", 200, Range::between(1, kMostIterations));
  options["tolerance_grad"] = reader.number("tolerance_grad", 1e-7, Range::at_least(0));
  options["tolerance_change"] = reader.number("tolerance_change", 1e-9, Range::at_least(0));
  read_strength(reader, options);
  return options;
}

Json gauss_newton_options(JsonReader& reader) {
  Json options = newton_cg_options(reader);
  options["tolerance_inner"] = reader.number("tolerance_inner", 1e-6, Range::at_least(0));
  return options;
}

Json levenberg_marquardt_options(JsonReader& reader) {
  Json options = gauss_newton_options(reader);
  options["lambda"] = reader.number("lambda", 0.01, Range::above(0));
  options["nu"] = reader.number("nu", 10, Range::above(1));
  return options;
}

// ---- directions ----

struct Residual {
  double size = 0;  // of the sum of its magnitudes, at which the search ends
  std::int64_t max_inner = 0;
};

/// Walks towards the solution of Hessian · direction = -gradient by conjugate gradients, as scipy.optimize's Newton-CG
/// does: up to the residual, or to where the function curves downwards.
at::Tensor newton_direction(const HessianProduct& product, const at::Tensor& gradient, const Residual& until) {
  constexpr double kFlat = 3 * std::numeric_limits<double>::epsilon();
  at::Tensor direction = at::zeros_like(gradient), residual = gradient.clone(), search = -gradient;
  double square = dot_product(residual, residual);
  for (std::int64_t i = 0; i < until.max_inner && residual.abs().sum().item<double>() > until.size; ++i) {
    const at::Tensor curved = product(search);
    const double curvature = dot_product(search, curved);
    if (std::abs(curvature) <= kFlat * dot_product(search, search)) return i > 0 ? direction : search;
    if (curvature < 0) return i > 0 ? direction : gradient * (square / curvature);
    const double length = square / curvature;
    direction.add_(search, length);
    residual.add_(curved, length);
    const double next = dot_product(residual, residual);
    search = search * (next / square) - residual;
    square = next;
  }
  return direction;
}

/// What all three walks share: where they stand, and what ends them.
class Walk {
 public:
  Walk(const Json& options, const SmoothFunction& function, const at::Tensor& start, const std::stop_token& stop)
      : function_(function),
        stop_(stop),
        max_iter_(options.at("max_iter").get<std::int64_t>()),
        tolerance_grad_(options.at("tolerance_grad").get<double>()),
        tolerance_change_(options.at("tolerance_change").get<double>()) {
    found.point = start.detach().clone();
    here = at(found.point);
    found.converged = largest_magnitude(here.gradient) <= tolerance_grad_;
  }

  bool goes_on() const { return !found.converged && found.iterations < max_iter_ && !stop_.stop_requested(); }
  HessianProduct hessian() const { return function_.hessian(found.point); }

  Evaluation at(const at::Tensor& point) {
    ++found.evaluations;
    return function_.evaluate(point);
  }

  /// Ends an iteration that has tried `to`, and moved to it if `step` is there.
  void end_iteration(const Evaluation& to, const at::Tensor& step) {
    ++found.iterations;
    found.converged = std::abs(to.value - here.value) < tolerance_change_;
    if (!step.defined()) return;
    found.point.add_(step);
    here = to;
    found.converged = found.converged || largest_magnitude(here.gradient) <= tolerance_grad_;
  }

  Minimum end() {
    found.value = here.value;
    return std::move(found);
  }

  Minimum found;
  Evaluation here;

 private:
  const SmoothFunction& function_;
  const std::stop_token& stop_;
  std::int64_t max_iter_;
  double tolerance_grad_;
  double tolerance_change_;
};

// ---- walks ----

/// Solves the less exactly the further it is from the minimum (Dembo and Steihaug 1983, in SciPy's form).
Minimum newton_cg(const Json& options, const SmoothFunction& function, const at::Tensor& start,
                  const std::stop_token& stop) {
  Walk walk(options, function, start, stop);
  while (walk.goes_on()) {
    const at::Tensor gradient = walk.here.gradient;
    const double size = gradient.abs().sum().item<double>();
    const at::Tensor direction = newton_direction(
        walk.hessian(), gradient, {std::min(0.5, std::sqrt(size)) * size, options.at("max_inner").get<std::int64_t>()});
    const Line line = [&](double step) {
      const Evaluation there = walk.at(walk.found.point.add(direction, step));
      return LinePoint{step, there.value, there.gradient, dot_product(there.gradient, direction)};
    };
    const LinePoint from{0, walk.here.value, gradient, dot_product(gradient, direction)};
    LinePoint to = strong_wolfe(line, from, {.first_step = 1, .direction_size = largest_magnitude(direction)});
    walk.end_iteration({to.value, to.gradient}, direction * to.step);
  }
  return walk.end();
}

/// Solves well, then halves the step until the value falls enough (Armijo 1966).
Minimum gauss_newton(const Json& options, const SmoothFunction& function, const at::Tensor& start,
                     const std::stop_token& stop) {
  constexpr int kMostHalvings = 30;
  constexpr double kEnough = 1e-4;
  Walk walk(options, function, start, stop);
  const auto max_inner = options.at("max_inner").get<std::int64_t>();
  while (walk.goes_on()) {
    const at::Tensor gradient = walk.here.gradient;
    const double size = gradient.abs().sum().item<double>() * options.at("tolerance_inner").get<double>();
    at::Tensor step = newton_direction(walk.hessian(), gradient, {size, max_inner});
    const double slope = dot_product(gradient, step);
    Evaluation to = walk.at(walk.found.point + step);
    double part = 1;
    for (int i = 0; i < kMostHalvings && !(to.value <= walk.here.value + kEnough * part * slope); ++i) {
      part /= 2;
      step = step / 2;
      to = walk.at(walk.found.point + step);
    }
    walk.end_iteration(to, to.value <= walk.here.value ? step : at::Tensor());
  }
  return walk.end();
}

/// Adds lambda to the curvature, nu times more or less of it as a step fails or succeeds (Levenberg 1944; Marquardt
/// 1963).
Minimum levenberg_marquardt(const Json& options, const SmoothFunction& function, const at::Tensor& start,
                            const std::stop_token& stop) {
  Walk walk(options, function, start, stop);
  const auto max_inner = options.at("max_inner").get<std::int64_t>();
  const double nu = options.at("nu").get<double>();
  double lambda = options.at("lambda").get<double>();
  while (walk.goes_on()) {
    const double size = walk.here.gradient.abs().sum().item<double>() * options.at("tolerance_inner").get<double>();
    const HessianProduct curved = walk.hessian();
    const auto damped = [&](const at::Tensor& vector) { return curved(vector).add(vector, lambda); };
    const at::Tensor step = newton_direction(damped, walk.here.gradient, {size, max_inner});
    const Evaluation to = walk.at(walk.found.point + step);
    const bool falls = to.value < walk.here.value;
    lambda = falls ? lambda / nu : lambda * nu;
    walk.end_iteration(to, falls ? step : at::Tensor());
  }
  return walk.end();
}

}  // namespace

OptimizerRow newton_cg_row() { return {"newton_cg", newton_cg_options, nullptr, newton_cg}; }
OptimizerRow gauss_newton_row() { return {"gauss_newton", gauss_newton_options, nullptr, gauss_newton}; }
OptimizerRow levenberg_marquardt_row() {
  return {"levenberg_marquardt", levenberg_marquardt_options, nullptr, levenberg_marquardt};
}

}  // namespace graft
