#include "graft/head/build_head.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <set>

#include "graft/head/activation.h"
#include "head/head_spec.h"
#include "support/parity.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

using test::head_spec;
using test::ParityFixture;
using test::relative_error;
using torch::jit::Module;

HeadSpec full_spec() {
  return head_spec(Json::parse(R"([{"batch_norm": {}}, {"dropout": 0.5}, {"linear": 16, "init": "orthogonal"},
      {"activation": "prelu"}, {"batch_norm": {}}, {"dropout": 0.25}, {"linear": "classes"}])"));
}

std::map<std::string, at::Tensor> tensors_of(const Module& module) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& item : module.named_parameters()) tensors[item.name] = item.value;
  for (const auto& item : module.named_buffers()) tensors[item.name] = item.value;
  return tensors;
}

TEST(BuildHead, OutputsWithOneWeightDifferByTheirThresholds) {
  Module head = build_head(head_spec(Json::parse(R"([{"linear": 6}, {"linear": "classes"}])")), 4, {3, true}, 1,
                           {10, 30, 40, 20});
  const auto tensors = tensors_of(head);
  EXPECT_EQ(tensors.at("linear_1.weight").sizes(), (std::vector<std::int64_t>{1, 6}));
  EXPECT_EQ(tensors.at("linear_0.weight").sizes(), (std::vector<std::int64_t>{6, 4}));
  const at::Tensor bias = tensors.at("linear_1.bias").detach();
  EXPECT_TRUE(at::allclose(at::sigmoid(bias), torch::tensor({0.9F, 0.6F, 0.2F})));
  const torch::NoGradGuard no_grad;
  const at::Tensor outputs = head.forward({torch::randn({5, 4})}).toTensor();
  ASSERT_EQ(outputs.sizes(), (std::vector<std::int64_t>{5, 3}));
  const at::Tensor scores = outputs - bias;
  EXPECT_TRUE(at::allclose(scores, scores.narrow(1, 0, 1).expand({5, 3}), 1e-4, 1e-5));
}

TEST(BuildHead, ParametersAndBuffersHaveTheNamesShapesAndTypesOfTorch) {
  const Module head = build_head(full_spec(), 24, 5, 1);
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const auto& item : head.named_parameters()) {
    shapes[item.name] = item.value.sizes().vec();
    EXPECT_TRUE(item.value.requires_grad() && item.value.is_leaf()) << item.name;
    EXPECT_EQ(item.value.scalar_type(), at::kFloat) << item.name;
  }
  const std::map<std::string, std::vector<std::int64_t>> expected{
      {"batch_norm_0.weight", {24}}, {"batch_norm_0.bias", {24}},  {"linear_2.weight", {16, 24}},
      {"linear_2.bias", {16}},       {"activation_3.weight", {1}}, {"batch_norm_4.weight", {16}},
      {"batch_norm_4.bias", {16}},   {"linear_6.weight", {5, 16}}, {"linear_6.bias", {5}}};
  EXPECT_EQ(shapes, expected);
  EXPECT_EQ(head.named_buffers().size(), 6U);
  EXPECT_EQ(head.attr("batch_norm_0").toModule().attr("num_batches_tracked").toTensor().scalar_type(), at::kLong);
}

TEST(BuildHead, TrainsAndEvaluatesAsItsTwinInTorch) {
  const ParityFixture reference("head/layers.pt");
  Module head = build_head(head_spec(reference.json("head")), 11, 3, 1);
  for (const auto& item : head.named_parameters()) {
    torch::NoGradGuard no_grad;
    item.value.copy_(reference.at("initial/" + item.name));
  }
  for (const auto& step : reference.cases("evaluated")) {
    head.train();
    at::Tensor x = reference.at(step + "/x").clone().set_requires_grad(true);
    const at::Tensor y = head.forward({x}).toTensor();
    EXPECT_LT(relative_error(y, reference.at(step + "/y")), 1e-6);
    for (const auto& item : head.named_parameters()) item.value.mutable_grad().reset();
    (y * reference.at(step + "/weights")).sum().backward();
    EXPECT_LT(relative_error(x.grad(), reference.at(step + "/gradient/x")), 1e-6);
    for (const auto& item : head.named_parameters()) {
      const double apart = relative_error(item.value.grad(), reference.at(step + "/gradient/" + item.name));
      const bool one_factor = item.name.ends_with(".scale") || item.name.starts_with("batch_norm");
      const bool one_sum = one_factor || item.name.ends_with(".bias");
      const double limit = one_sum ? 1e-5 : 1e-6;  // over the batch, in which most cancels
      EXPECT_LT(test::noted("layers", item.name.substr(0, item.name.find_last_of('_')), apart), limit) << item.name;
    }
    for (const auto& item : head.named_buffers())
      EXPECT_LT(relative_error(item.value, reference.at(step + "/buffer/" + item.name)), 1e-6) << item.name;
    head.eval();
    EXPECT_LT(relative_error(head.forward({x}).toTensor(), reference.at(step + "/evaluated")), 1e-6);
  }
  EXPECT_EQ(reference.cases("evaluated").size(), 5U);
}

/// Of one layer, in front of the identity.
Module head_of(const Json& layer, std::int64_t in, std::int64_t out) {
  Module head = build_head(head_spec(Json::array({layer, {{"linear", "classes"}, {"bias", false}}})), in, out, 1);
  const torch::NoGradGuard no_grad;
  head.attr("linear_1").toModule().attr("weight").toTensor().copy_(torch::eye(out));
  return head;
}

TEST(BuildHead, EveryActivationIsTorchs) {
  const ParityFixture reference("head/activations.pt");
  std::set<std::string> seen;
  for (const auto& name : reference.cases("spec")) {
    const Json spec = reference.json(name + "/spec");
    const std::string activation = spec.is_string() ? spec.get<std::string>() : spec.begin().key();
    seen.insert(activation);
    const at::Tensor expected = reference.at(name + "/y");
    Module head = head_of({{"activation", spec}}, reference.at("x").size(1), expected.size(1));
    head.eval();
    at::Tensor x = reference.at("x").clone().set_requires_grad(true);
    const at::Tensor y = head.forward({x}).toTensor();
    y.sum().backward();
    const double of_slope = relative_error(x.grad(), reference.at(name + "/gradient"));
    EXPECT_LT(test::noted("activations", activation, std::max(relative_error(y, expected), of_slope)), 1e-6) << spec;
  }
  EXPECT_EQ(seen.size(), activation_names().size());
}

TEST(BuildHead, AnActivationThatJoinsNumbersNeedsAMultiple) {
  const HeadSpec maxout =
      head_spec(Json::parse(R"([{"activation": {"maxout": {"pieces": 4}}}, {"linear": "classes"}])"));
  EXPECT_EQ(build_head(maxout, 8, 3, 1).attr("linear_1").toModule().attr("weight").toTensor().size(1), 2);
  try {
    build_head(maxout, 6, 3, 1);
    FAIL() << "six numbers in fours";
  } catch (const Error& error) {
    EXPECT_EQ(error.problems().front().subject, "head[0].activation.maxout");
  }
}

TEST(BuildHead, DropoutScalesWhatItKeeps) {
  torch::manual_seed(1);
  Module head = head_of({{"dropout", 0.25}}, 1, 1);
  const at::Tensor y = head.forward({torch::ones({100000, 1})}).toTensor();
  EXPECT_TRUE(((y == 0) | ((y - 4 / 3.0).abs() < 1e-6)).all().item<bool>());
  EXPECT_LT(test::noted("layers", "dropout", std::abs(y.mean().item<double>() - 1)), 0.01);
  head.eval();
  EXPECT_TRUE(head.forward({y}).toTensor().equal(y));
}

TEST(BuildHead, AlphaDropoutKeepsMeanAndDeviation) {
  torch::manual_seed(1);
  Module head = head_of({{"alpha_dropout", 0.25}}, 1, 1);
  const at::Tensor x = torch::randn({100000, 1});
  const at::Tensor y = head.forward({x}).toTensor();
  EXPECT_NEAR(y.mean().item<double>(), 0, 0.02);
  EXPECT_LT(test::noted("layers", "alpha_dropout", std::abs(y.std().item<double>() - 1)), 0.02);
  const at::Tensor of_zeros = head.forward({torch::zeros({100000, 1})}).toTensor();
  EXPECT_NEAR(of_zeros.eq(of_zeros.min()).to(at::kDouble).mean().item<double>(), 0.25, 0.01);
  head.eval();
  EXPECT_TRUE(head.forward({x}).toTensor().equal(x));
}

TEST(BuildHead, ABiasStartsFromANumberOrFromTheClassesParts) {
  const auto bias_of = [](const char* layer, const std::vector<std::int64_t>& counts) {
    const Module head = build_head(head_spec(Json::array({Json::parse(layer)})), 4, 3, 1, counts);
    return head.attr("linear_0").toModule().attr("bias").toTensor();
  };
  EXPECT_TRUE(bias_of(R"({"linear": "classes", "bias": 0.125})", {}).equal(torch::full({3}, 0.125)));
  const at::Tensor prior = bias_of(R"({"linear": "classes", "bias": "prior"})", {10, 30, 60});
  EXPECT_TRUE(at::allclose(at::softmax(prior, 0), torch::tensor({0.1F, 0.3F, 0.6F})));
  EXPECT_TRUE(bias_of(R"({"linear": "classes", "bias": "prior"})", {}).equal(torch::zeros({3})));
}

TEST(BuildHead, RreluDrawsItsSlopesWhileItTrains) {
  Module head = head_of({{"activation", "rrelu"}}, 1, 1);
  const at::Tensor x = torch::full({10000, 1}, -1.0F);
  const at::Tensor slopes = -head.forward({x}).toTensor();
  EXPECT_GE(slopes.min().item<double>(), 1 / 8.0 - 1e-6);
  EXPECT_LE(slopes.max().item<double>(), 1 / 3.0 + 1e-6);
  EXPECT_NEAR(slopes.mean().item<double>(), 11 / 48.0, 0.003);
  EXPECT_NEAR(slopes.std().item<double>(), (5 / 24.0) / std::sqrt(12.0), 0.003);
  EXPECT_TRUE(head.forward({torch::ones({3, 1})}).toTensor().equal(torch::ones({3, 1})));
  head.eval();
  EXPECT_TRUE(head.forward({x}).toTensor().equal(head.forward({x}).toTensor()));
}

TEST(BuildHead, SavedAndReloadedItIsTheSameAndStillTrains) {
  const test::TemporaryFolder folder;
  Module head = build_head(full_spec(), 24, 5, 1);
  const at::Tensor x = torch::randn({6, 24});
  head.forward({x});
  head.eval();
  const at::Tensor expected = head.forward({x}).toTensor();
  head.save((folder / "head.pt").string());
  Module again = torch::jit::load((folder / "head.pt").string());
  EXPECT_TRUE(again.forward({x}).toTensor().equal(expected));

  const auto before = tensors_of(again.deepcopy());
  again.train();
  EXPECT_FALSE(again.forward({x}).toTensor().equal(again.forward({x}).toTensor())) << "dropout is off in training";
  const auto after = tensors_of(again);
  EXPECT_EQ(after.at("batch_norm_4.num_batches_tracked").item<int>(),
            before.at("batch_norm_4.num_batches_tracked").item<int>() + 2);
  EXPECT_FALSE(after.at("batch_norm_0.running_mean").equal(before.at("batch_norm_0.running_mean")));
}

TEST(BuildHead, EvaluationChangesNothing) {
  Module head = build_head(full_spec(), 24, 5, 1);
  head.eval();
  const auto before = tensors_of(head.deepcopy());
  const at::Tensor x = torch::randn({1, 24});
  EXPECT_TRUE(head.forward({x}).toTensor().equal(head.forward({x}).toTensor()));
  for (const auto& [name, tensor] : tensors_of(head)) EXPECT_TRUE(tensor.equal(before.at(name))) << name;
}

TEST(BuildHead, BatchNormRefusesToLearnFromOneSample) {
  Module head = build_head(full_spec(), 24, 5, 1);
  EXPECT_ANY_THROW(head.forward({torch::randn({1, 24})}));
  EXPECT_TRUE(tensors_of(head).at("batch_norm_0.running_var").equal(torch::ones({24})));
  EXPECT_NO_THROW(head.forward({torch::randn({2, 24})}));
}

TEST(BuildHead, TheSeedDecidesEveryBit) {
  const auto first = tensors_of(build_head(full_spec(), 24, 5, 7)),
             again = tensors_of(build_head(full_spec(), 24, 5, 7)),
             other = tensors_of(build_head(full_spec(), 24, 5, 8));
  for (const auto& [name, tensor] : first) EXPECT_TRUE(tensor.equal(again.at(name))) << name;
  EXPECT_FALSE(first.at("linear_2.weight").equal(other.at("linear_2.weight")));
  EXPECT_FALSE(first.at("linear_6.bias").equal(other.at("linear_6.bias")));
}

TEST(BuildHead, OneLinearLayerOfOneValueWorks) {
  Module head = build_head(head_spec(Json::parse(R"([{"linear": "classes"}])")), 1, 1, 0);
  EXPECT_EQ(head.forward({torch::ones({3, 1})}).toTensor().sizes(), (std::vector<std::int64_t>{3, 1}));
}

}  // namespace
}  // namespace graft
