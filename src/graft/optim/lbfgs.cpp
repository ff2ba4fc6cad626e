#include "graft/optim/lbfgs.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <deque>

#include "graft/optim/optimizer_rules.h"
#include "graft/optim/strong_wolfe.h"

namespace graft {
namespace {

const std::vector<std::string>& line_search_names() {
  static const std::vector<std::string> kNames{"none", "strong_wolfe"};
  return kNames;
}

Json read_lbfgs_options(JsonReader& reader) {
  Json options;
  read_lr(reader, options, 1);
  const std::int64_t max_iter = reader.integer("max_iter", 20, Range::between(1, kMostIterations));
  options["max_iter"] = max_iter;
  options["max_eval"] = reader.integer("max_eval", max_iter * 5 / 4, Range::between(1, 10 * kMostIterations));
  options["tolerance_grad"] = reader.number("tolerance_grad", 1e-7, Range::at_least(0));
  options["tolerance_change"] = reader.number("tolerance_change", 1e-9, Range::at_least(0));
  options["history_size"] = reader.integer("history_size", 100, Range::between(1, 10000));
  options["line_search_fn"] = reader.choice("line_search_fn", "none", line_search_names());
  read_strength(reader, options);
  return options;
}

/// What the last steps say of the curvature.
class History {
 public:
  explicit History(std::int64_t size) : size_(static_cast<std::size_t>(size)) {}

  void add(at::Tensor step, at::Tensor change) {
    constexpr double kLeastCurvature = 1e-10;  // torch's
    const double curvature = dot_product(change, step);
    if (!(curvature > kLeastCurvature)) return;
    if (pairs_.size() == size_) pairs_.pop_front();
    scale_ = curvature / dot_product(change, change);
    pairs_.push_back({std::move(step), std::move(change), 1 / curvature});
  }

  /// Minus the approximate inverse Hessian times the gradient, by two loops.
  at::Tensor direction(const at::Tensor& gradient) const {
    at::Tensor result = gradient.neg();
    std::vector<double> parts(pairs_.size());
    for (std::size_t i = pairs_.size(); i-- > 0;) {
      parts[i] = dot_product(pairs_[i].step, result) * pairs_[i].inverse;
      result.add_(pairs_[i].change, -parts[i]);
    }
    result.mul_(scale_);
    for (std::size_t i = 0; i < pairs_.size(); ++i)
      result.add_(pairs_[i].step, parts[i] - dot_product(pairs_[i].change, result) * pairs_[i].inverse);
    return result;
  }

 private:
  struct Pair {
    at::Tensor step;
    at::Tensor change;  // of the gradient
    double inverse;
  };
  std::size_t size_;
  std::deque<Pair> pairs_;
  double scale_ = 1;
};

}  // namespace

OptimizerRow lbfgs_row() {
  return {
      "lbfgs", read_lbfgs_options, nullptr,
      [](const Json& options, const SmoothFunction& function, const at::Tensor& start, const std::stop_token& stop) {
        return minimize_lbfgs(function.evaluate, start, lbfgs_options({"lbfgs", options}), stop);
      }};
}

LbfgsOptions lbfgs_options(const OptimizerSpec& spec) {
  TORCH_CHECK(spec.name == "lbfgs", spec.name, " is not lbfgs");
  const Json json = to_json(spec).at(spec.name);
  return {.lr = json.at("lr").get<double>(),
          .max_iter = json.at("max_iter").get<std::int64_t>(),
          .max_eval = json.at("max_eval").get<std::int64_t>(),
          .tolerance_grad = json.at("tolerance_grad").get<double>(),
          .tolerance_change = json.at("tolerance_change").get<double>(),
          .history_size = json.at("history_size").get<std::int64_t>(),
          .strong_wolfe = json.at("line_search_fn") == "strong_wolfe"};
}

Minimum minimize_lbfgs(const Objective& objective, const at::Tensor& start, const LbfgsOptions& options,
                       const std::stop_token& stop) {
  const at::NoGradGuard no_grad;
  Minimum found{.point = start.detach().clone()};
  at::Tensor direction;
  const Line line = [&](double step) {
    const Evaluation at = objective(found.point.add(direction, step));
    ++found.evaluations;
    return LinePoint{step, at.value, at.gradient, dot_product(at.gradient, direction)};
  };
  Evaluation here = objective(found.point);
  found.evaluations = 1;
  found.converged = largest_magnitude(here.gradient) <= options.tolerance_grad;
  History history(options.history_size);
  for (bool goes_on = !found.converged; goes_on && !stop.stop_requested();) {
    ++found.iterations;
    direction = history.direction(here.gradient);
    const LinePoint from{0, here.value, here.gradient, dot_product(here.gradient, direction)};
    found.converged = from.slope > -options.tolerance_change;
    if (found.converged) break;
    const double first =
        options.lr * (found.iterations == 1 ? std::min(1.0, 1 / here.gradient.abs().sum().item<double>()) : 1);
    const LineSearch search{first, largest_magnitude(direction), options.tolerance_change,
                            options.max_eval - found.evaluations};
    LinePoint to = options.strong_wolfe ? strong_wolfe(line, from, search) : line(first);
    const at::Tensor step = direction.mul(to.step);
    found.point.add_(direction, to.step);
    history.add(step, to.gradient.sub(here.gradient));
    found.converged = largest_magnitude(to.gradient) <= options.tolerance_grad ||
                      largest_magnitude(step) <= options.tolerance_change ||
                      std::abs(to.value - here.value) < options.tolerance_change;
    here = {to.value, std::move(to.gradient)};
    goes_on = !found.converged && found.iterations < options.max_iter && found.evaluations < options.max_eval;
  }
  found.value = here.value;
  return found;
}

}  // namespace graft
