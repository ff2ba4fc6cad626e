#include "graft/optim/lbfgs.h"

#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include "support/parity.h"

namespace graft {
namespace {

using test::ParityFixture;
using test::relative_error;
using Function = std::function<at::Tensor(const at::Tensor& point)>;

Objective with_gradient(Function function) {
  return [function = std::move(function)](const at::Tensor& point) {
    const at::AutoGradMode on(true);
    const at::Tensor variable = point.detach().clone().set_requires_grad(true);
    const at::Tensor value = function(variable);
    return Evaluation{value.item<double>(), torch::autograd::grad({value}, {variable})[0]};
  };
}

at::Tensor rosenbrock(const at::Tensor& x) {
  const at::Tensor first = x.slice(0, 0, -1), second = x.slice(0, 1);
  return (100 * (second - first.square()).square() + (1 - first).square()).sum();
}

Objective function_of(const ParityFixture& reference, const std::string& name) {
  if (name == "rosenbrock") return with_gradient(rosenbrock);
  return with_gradient([&reference](const at::Tensor& x) {
    const at::Tensor logits = reference.at("features").matmul(x.view({3, 4}).t());
    return at::cross_entropy_loss(logits, reference.at("targets")) + 0.01 * x.square().sum();
  });
}

LbfgsOptions options_of(Json json, std::int64_t max_iter) {
  json["max_iter"] = max_iter;
  return lbfgs_options({"lbfgs", std::move(json)});
}

TEST(Lbfgs, WalksAsTorchs) {
  const ParityFixture reference("optim/lbfgs.pt");
  const auto cases = reference.cases("points");
  EXPECT_EQ(cases.size(), 14U);
  for (const auto& name : cases) {
    const std::string function = reference.json(name + "/function").get<std::string>();
    const Json options = reference.json(name + "/options");
    const Objective objective = function_of(reference, function);
    const at::Tensor points = reference.at(name + "/points");
    for (std::int64_t step = 0; step < points.size(0); ++step) {
      const Minimum found = minimize_lbfgs(objective, reference.at("start/" + function), options_of(options, step + 1));
      ASSERT_LT(test::noted("optimizers", "lbfgs", relative_error(found.point, points[step])), 1e-6)
          << name << ", step " << step;
      // Torch leaves the last point of a walk without line search unevaluated, and its value unknown.
      const bool unevaluated = !options.contains("line_search_fn") && found.iterations == step + 1 &&
                               found.evaluations == found.iterations + 1;
      ASSERT_EQ(found.evaluations - (unevaluated ? 1 : 0),
                reference.at(name + "/evaluations")[step].item<std::int64_t>())
          << name << ", step " << step;
    }
  }
}

TEST(Lbfgs, EndsAtTheMinimumAndSaysSo) {
  const Objective bowl = with_gradient([](const at::Tensor& x) { return (x - 3).square().sum(); });
  const at::Tensor start = at::zeros({4}, at::kDouble);
  const LbfgsOptions options{.max_iter = 100, .max_eval = 1000, .strong_wolfe = true};
  const Minimum found = minimize_lbfgs(bowl, start, options);
  EXPECT_TRUE(found.converged);
  EXPECT_LT(relative_error(found.point, at::full({4}, 3.0, at::kDouble)), 1e-7);
  EXPECT_TRUE(start.equal(at::zeros({4}, at::kDouble)));
  EXPECT_EQ(minimize_lbfgs(bowl, found.point, options).iterations, 0);
  EXPECT_FALSE(minimize_lbfgs(with_gradient(rosenbrock), start, {.max_iter = 2, .strong_wolfe = true}).converged);
}

TEST(Lbfgs, AStopEndsItWithWhatItHas) {
  std::stop_source stop;
  stop.request_stop();
  const Minimum found = minimize_lbfgs(with_gradient(rosenbrock), at::zeros({4}, at::kDouble), {}, stop.get_token());
  EXPECT_EQ(found.iterations, 0);
  EXPECT_FALSE(found.converged);
}

}  // namespace
}  // namespace graft
