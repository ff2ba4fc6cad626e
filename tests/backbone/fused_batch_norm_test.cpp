#include "graft/backbone/fused_batch_norm.h"

#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <functional>
#include <limits>
#include <string>

namespace graft {
namespace {

using ::testing::HasSubstr;

constexpr double kMomentum = 0.3, kEps = 1e-3;
constexpr double kMean = 100;  // so far from zero that squares of the numbers themselves would be of no use

/// One BatchNorm of `channels`, and what `behind` makes of its result `y`.
torch::jit::Module norm_and(const std::string& behind, std::int64_t channels, bool training) {
  torch::jit::Module module("Norm");
  module.register_attribute("training", c10::BoolType::get(), training);
  module.register_parameter("weight", at::rand({channels}) + 0.5, false);
  module.register_parameter("bias", at::randn({channels}), false);
  module.register_buffer("running_mean", at::randn({channels}) + kMean);
  module.register_buffer("running_var", at::rand({channels}) + 0.5);
  module.define(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "    y = torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, self.training, 0.3, "
      "0.001, False)\n"
      "    return " +
      behind + "\n");
  return module;
}

std::string fused_graph_of(const torch::jit::Module& module) {
  const auto graph = module.get_method("forward").graph();
  graph::fuse_batch_norms(*graph);
  graph->lint();
  return graph->toString(false);
}

/// What forward and backward give.
struct Pass {
  at::Tensor y, of_x, of_weight, of_bias, running_mean, running_var;
};

using Activation = std::function<at::Tensor(const at::Tensor&)>;

/// By LibTorch's operators in float64.
Pass expected_pass(const torch::jit::Module& module, const Activation& activation, const at::Tensor& x,
                   const at::Tensor& gradient) {
  const auto copy = [&](const char* name) { return module.attr(name).toTensor().detach().to(at::kDouble).clone(); };
  const at::Tensor weight = copy("weight").requires_grad_(), bias = copy("bias").requires_grad_();
  const at::Tensor maps = x.detach().to(at::kDouble).requires_grad_();
  Pass pass;
  pass.running_mean = copy("running_mean"), pass.running_var = copy("running_var");
  pass.y = activation(at::batch_norm(maps, weight, bias, pass.running_mean, pass.running_var,
                                     module.attr("training").toBool(), kMomentum, kEps, false));
  const auto of = torch::autograd::grad({pass.y}, {maps, weight, bias}, {gradient.to(at::kDouble)});
  pass.of_x = of[0], pass.of_weight = of[1], pass.of_bias = of[2];
  return pass;
}

Pass pass_of(torch::jit::Module& module, const at::Tensor& x, const at::Tensor& gradient) {
  const at::Tensor weight = module.attr("weight").toTensor().requires_grad_();
  const at::Tensor bias = module.attr("bias").toTensor().requires_grad_();
  const at::Tensor maps = x.detach().clone().requires_grad_();
  Pass pass;
  pass.y = module.forward({maps}).toTensor();
  const auto of = torch::autograd::grad({pass.y}, {maps, weight, bias}, {gradient});
  pass.of_x = of[0], pass.of_weight = of[1], pass.of_bias = of[2];
  pass.running_mean = module.attr("running_mean").toTensor();
  pass.running_var = module.attr("running_var").toTensor();
  return pass;
}

double distance(const at::Tensor& found, const at::Tensor& expected) {
  return ((found.detach().to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

at::Tensor channels_last(const at::Tensor& maps) { return maps.contiguous(at::MemoryFormat::ChannelsLast); }

struct BatchNormCase {
  const char* name;
  const char* behind;  ///< in TorchScript, of y
  Activation activation;
};

const BatchNormCase kBatchNormCases[] = {
    {"None", "y", [](const at::Tensor& y) { return y; }},
    {"Relu", "torch.relu_(y)", [](const at::Tensor& y) { return at::relu(y); }},
    {"Relu6", "torch.relu6(y)", [](const at::Tensor& y) { return at::hardtanh(y, 0, 6); }},
    {"Hardtanh", "torch.hardtanh_(y, -0.5, 1.5)", [](const at::Tensor& y) { return at::hardtanh(y, -0.5, 1.5); }},
};

class FusedBatchNorm : public testing::TestWithParam<std::tuple<BatchNormCase, bool, at::ScalarType, std::int64_t>> {};

TEST_P(FusedBatchNorm, AgreesWithLibTorchInDoublePrecision) {
  const auto& [what, training, type, channels] = GetParam();
  torch::manual_seed(3);
  auto module = norm_and(what.behind, channels, training);
  ASSERT_THAT(fused_graph_of(module), HasSubstr("graft::batch_norm"));
  // Of some thousand rows, for two threads.
  const at::Tensor x = channels_last((at::randn({3, channels, 47, 31}) * 2 + kMean).to(type));
  const at::Tensor gradient = channels_last(at::randn_like(x));
  const Pass expected = expected_pass(module, what.activation, x, gradient);
  const Pass found = pass_of(module, x, gradient);
  const double of_sums = 2e-5, of_maps = type == at::kFloat ? 2e-5 : 3e-3;
  EXPECT_LT(distance(found.y, expected.y), of_maps);
  EXPECT_LT(distance(found.of_x, expected.of_x), of_maps);
  EXPECT_LT(distance(found.of_weight, expected.of_weight), of_sums);
  EXPECT_LT(distance(found.of_bias, expected.of_bias), of_sums);
  EXPECT_LT(distance(found.running_mean, expected.running_mean), of_sums);
  EXPECT_LT(distance(found.running_var, expected.running_var), of_sums);
  EXPECT_EQ(found.y.scalar_type(), type);
  EXPECT_TRUE(found.y.is_contiguous(at::MemoryFormat::ChannelsLast));
}

INSTANTIATE_TEST_SUITE_P(, FusedBatchNorm,
                         testing::Combine(testing::ValuesIn(kBatchNormCases), testing::Bool(),
                                          testing::Values(at::kFloat, at::kBFloat16), testing::Values(1, 5, 64)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param).name) +
                                  (std::get<1>(test.param) ? "Training" : "Frozen") +
                                  c10::toString(std::get<2>(test.param)) + std::to_string(std::get<3>(test.param));
                         });

TEST(FuseBatchNorms, LibTorchComputesMapsOfAnotherLayout) {
  for (const bool training : {false, true}) {
    torch::manual_seed(1);
    auto plain = norm_and("torch.relu(y)", 6, training);
    auto fused = plain.clone();
    ASSERT_THAT(fused_graph_of(fused), HasSubstr("graft::batch_norm"));
    const at::Tensor x = at::randn({4, 6, 5, 5}), gradient = at::randn({4, 6, 5, 5});
    const Pass expected = pass_of(plain, x, gradient), found = pass_of(fused, x, gradient);
    EXPECT_TRUE(found.y.equal(expected.y));
    EXPECT_TRUE(found.of_x.equal(expected.of_x));
    EXPECT_TRUE(found.running_var.equal(expected.running_var));
  }
}

/// As LibTorch's relu: what a network's last BatchNorm, begun at zero, gives is neither above nor below.
TEST(FuseBatchNorms, NoGradientPassesAtALimit) {
  auto module = norm_and("torch.relu(y)", 3, true);
  fused_graph_of(module);
  module.attr("weight").toTensor().zero_();
  module.attr("bias").toTensor().zero_();
  const at::Tensor x = channels_last(at::randn({2, 3, 4, 4}));
  EXPECT_EQ(pass_of(module, x, at::ones_like(x)).of_bias.abs().sum().item<double>(), 0);
}

TEST(FuseBatchNorms, WhatIsNoNumberStaysSo) {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    auto module = norm_and("torch.relu(y)", 3, false);
    fused_graph_of(module);
    const at::Tensor x = channels_last(at::randn({2, 3, 4, 4}).to(type));
    x[1][2][3][0] = std::numeric_limits<double>::quiet_NaN();
    const at::Tensor y = module.forward({x}).toTensor();
    EXPECT_TRUE(y[1][2][3][0].isnan().item<bool>());
    EXPECT_EQ(y.isnan().sum().item<std::int64_t>(), 1);
  }
}

TEST(FuseBatchNorms, LeavesActivationsThatItHasNot) {
  EXPECT_THAT(fused_graph_of(norm_and("torch.relu(y) + y", 3, true)), HasSubstr("aten::relu"));
  EXPECT_THAT(fused_graph_of(norm_and("torch.clamp(y, 0.0, 6.0)", 3, true)), HasSubstr("aten::clamp"));
  EXPECT_THAT(fused_graph_of(norm_and("torch.sigmoid(y)", 3, true)), HasSubstr("aten::sigmoid"));
  EXPECT_THAT(fused_graph_of(norm_and("torch.batch_norm(y, None, None, None, None, True, 0.1, 1e-5, False)", 3, true)),
              HasSubstr("aten::batch_norm"));
}

TEST(FuseBatchNorms, SecondDerivativesAreRefused) {
  auto module = norm_and("torch.relu(y)", 3, true);
  fused_graph_of(module);
  const at::Tensor x = channels_last(at::randn({2, 3, 4, 4})).requires_grad_();
  const at::Tensor sum = module.forward({x}).toTensor().sum();
  EXPECT_THROW(torch::autograd::grad({sum}, {x}, {}, true, /*create_graph=*/true), c10::Error);
}

}  // namespace
}  // namespace graft
