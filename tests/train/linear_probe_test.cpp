#include "graft/train/linear_probe.h"

#include <gmock/gmock.h>
#include <torch/types.h>

#include "graft/core/error.h"
#include "graft/train/stratified_folds.h"
#include "support/parity.h"

namespace graft {
namespace {

using test::ParityFixture;
using test::relative_error;
using testing::HasSubstr;

/// Those of all images at once, to the last digits that float64 gives.
std::vector<OptimizerSpec> optimizers(double C) {
  const Json options{{"C", C}, {"max_iter", 1000}, {"tolerance_grad", 1e-9}, {"tolerance_change", 1e-14}};
  std::vector<OptimizerSpec> specs;
  for (const char* name : {"newton_cg", "gauss_newton", "levenberg_marquardt"}) specs.push_back({name, options});
  return specs;
}

OptimizerSpec lbfgs(const Json& C) {
  return {"lbfgs",
          {{"C", C},
           {"line_search_fn", "strong_wolfe"},
           {"max_iter", 10000},
           {"tolerance_grad", 1e-9},
           {"tolerance_change", 1e-14}}};
}

/// Zeros, shaped for the images of a case.
LinearLayer start_of(const ProbeImages& images, bool bias = true) {
  const std::int64_t classes = images.targets.max().item<std::int64_t>() + 1;
  return {at::zeros({classes, images.features.size(1)}), bias ? at::zeros({classes}) : at::Tensor()};
}

TEST(LinearProbe, FindsTheMinimumOfLogisticRegression) {
  const ParityFixture reference("train/linear_probe.pt");
  int cases = 0;
  for (const auto& name : reference.cases("objective")) {
    const auto given = [&](const std::string& key) {
      return reference.has(name + "/" + key) ? reference.at(name + "/" + key) : at::Tensor();
    };
    const auto number = [&](const std::string& key) { return given(key).item<double>(); };
    const ProbeImages images{given("features"), given("targets"), {given("class_weights"), given("samples")}};
    const Loss loss = make_loss({"cross_entropy", {{"label_smoothing", number("smoothing")}}});
    const auto fit = fit_linear_probe(images, start_of(images, given("bias").defined()), loss, lbfgs(number("C")));
    ASSERT_TRUE(fit && fit->minimum.converged) << name;
    EXPECT_NEAR(fit->loss / number("loss"), 1, 1e-4) << name;
    const double apart = std::abs(fit->minimum.value / number("objective") - 1);
    EXPECT_LT(test::noted("presets", "linear", apart), 1e-6) << name;
    EXPECT_LT(relative_error(fit->layer.weight, given("weight")), 1e-3) << name;
    for (const auto& spec : optimizers(number("C"))) {
      const auto same = fit_linear_probe(images, start_of(images, given("bias").defined()), loss, spec);
      ASSERT_TRUE(same && same->minimum.converged) << name << ", " << spec.name;
      EXPECT_NEAR(same->minimum.value / number("objective"), 1, 1e-9) << name << ", " << spec.name;
      EXPECT_LT(relative_error(same->layer.weight, given("weight")), 1e-3) << name << ", " << spec.name;
    }
    if (given("bias").defined()) {
      const auto centred = [](const at::Tensor& bias) { return bias - bias.mean(); };  // a sum that softmax ignores
      EXPECT_LT(relative_error(centred(fit->layer.bias), centred(given("bias"))), 1e-3) << name;
    }
    ++cases;
  }
  EXPECT_EQ(cases, 10);
}

TEST(LinearProbe, ChoosesThePenaltyThatCrossValidationChooses) {
  const ParityFixture reference("train/linear_probe.pt");
  const auto cases = reference.cases("folds");
  EXPECT_EQ(cases.size(), 4U);
  for (const auto& name : cases) {
    const ProbeImages images{reference.at(name + "/features"), reference.at(name + "/targets")};
    EXPECT_LT(relative_error(torch::tensor(probe_strengths(), at::kDouble), reference.at(name + "/grid")), 1e-12);
    const auto fit = fit_linear_probe(images, start_of(images), make_loss({}), lbfgs("cv"));
    EXPECT_NEAR(fit->C / reference.at(name + "/C").item<double>(), 1, 1e-9) << name;
  }
}

TEST(StratifiedFolds, AreScikitLearns) {
  const ParityFixture reference("train/linear_probe.pt");
  for (const auto& name : reference.cases("folds")) {
    const at::Tensor targets = reference.at(name + "/targets").contiguous();
    const auto* begin = targets.const_data_ptr<std::int64_t>();
    EXPECT_TRUE(
        torch::tensor(stratified_folds({begin, begin + targets.numel()}, 5)).equal(reference.at(name + "/folds")))
        << name;
  }
}

TEST(LinearProbe, AStopLeavesNothing) {
  std::stop_source stop;
  stop.request_stop();
  const ProbeImages images{at::rand({20, 3}), at::arange(20).remainder(2)};
  for (const Json& C : {Json(1.0), Json("cv")})
    EXPECT_FALSE(fit_linear_probe(images, start_of(images), make_loss({}), lbfgs(C), stop.get_token()));
}

TEST(LinearProbe, AFewImagesCannotBePartedInFive) {
  const ProbeImages images{at::rand({8, 3}), at::arange(8).remainder(2)};
  try {
    fit_linear_probe(images, start_of(images), make_loss({}), lbfgs("cv"));
    FAIL() << "chosen from four images a class";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no class has 5 images"));
  }
}

}  // namespace
}  // namespace graft
