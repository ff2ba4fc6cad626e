#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include "graft/optim/minimum.h"
#include "support/parity.h"

namespace graft {
namespace {

using test::ParityFixture;
using test::relative_error;
using Function = std::function<at::Tensor(const at::Tensor& point)>;

SmoothFunction smooth(const Function& function) {
  const auto slope = [function](const at::Tensor& variable, const at::Tensor& value) {
    return torch::autograd::grad({value}, {variable}, {}, true, true)[0];
  };
  return {[=](const at::Tensor& point) {
            const at::AutoGradMode on(true);
            const at::Tensor variable = point.detach().clone().set_requires_grad(true), value = function(variable);
            return Evaluation{value.item<double>(), slope(variable, value).detach()};
          },
          [=](const at::Tensor& point) -> HessianProduct {
            const at::AutoGradMode on(true);
            const at::Tensor variable = point.detach().clone().set_requires_grad(true);
            const at::Tensor gradient = slope(variable, function(variable));
            return [=](const at::Tensor& vector) {
              return torch::autograd::grad({gradient}, {variable}, {vector}, true)[0];
            };
          }};
}

SmoothFunction softmax_of(const ParityFixture& reference) {
  return smooth([&reference](const at::Tensor& x) {
    const at::Tensor logits = reference.at("features").matmul(x.view({3, 4}).t());
    return at::cross_entropy_loss(logits, reference.at("targets")) + 0.01 * x.square().sum();
  });
}

TEST(Newton, WalksAsSciPysAndAsTheFormulas) {
  const ParityFixture reference("optim/newton.pt");
  const SmoothFunction function = softmax_of(reference);
  const auto cases = reference.cases("points");
  EXPECT_EQ(cases.size(), 7U);
  for (const auto& name : cases) {
    Json optimizer = reference.json(name + "/optimizer");
    const std::string rule = optimizer.begin().key();
    for (const char* tolerance : {"tolerance_grad", "tolerance_change"}) optimizer[rule][tolerance] = 0;
    if (rule != "newton_cg") optimizer[rule]["tolerance_inner"] = 1e-12;
    const at::Tensor points = reference.at(name + "/points");
    for (std::int64_t step = 0; step < points.size(0); ++step) {
      optimizer[rule]["max_iter"] = step + 1;
      const Minimum found = minimize({rule, optimizer[rule]}, function, reference.at(name + "/start"));
      // newton_cg's inner walk ends where a residual falls below a limit: roundings grow from step to step.
      ASSERT_LT(test::noted("optimizers", rule, relative_error(found.point, points[step])),
                rule == "newton_cg" ? 1e-5 : 1e-6)
          << name << ", step " << step;
    }
  }
}

TEST(Newton, EndsAtTheMinimumAndSaysSo) {
  const SmoothFunction rosenbrock = smooth([](const at::Tensor& x) {
    const at::Tensor first = x.slice(0, 0, -1), second = x.slice(0, 1);
    return (100 * (second - first.square()).square() + (1 - first).square()).sum();
  });
  const at::Tensor start = at::tensor({-1.2, 1.0}, at::kDouble), kept = start.clone();
  for (const char* rule : {"newton_cg", "gauss_newton", "levenberg_marquardt"}) {
    const Minimum found = minimize({rule, {{"tolerance_change", 0}}}, rosenbrock, start);
    EXPECT_TRUE(found.converged) << rule;
    EXPECT_LT(relative_error(found.point, at::ones({2}, at::kDouble)), 1e-6) << rule;
    EXPECT_TRUE(start.equal(kept));
    EXPECT_FALSE(minimize({rule, {{"max_iter", 2}}}, rosenbrock, start).converged) << rule;
    EXPECT_EQ(minimize({rule}, rosenbrock, at::ones({2}, at::kDouble)).iterations, 0) << rule;
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(minimize({rule}, rosenbrock, start, stop.get_token()).iterations, 0) << rule;
  }
}

}  // namespace
}  // namespace graft
