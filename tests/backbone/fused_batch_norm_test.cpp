#include "graft/backbone/fused_batch_norm.h"

#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <functional>
#include <limits>
#include <string>

#include "graft/backbone/backbone.h"
#include "support/fixture_backbones.h"

namespace graft {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

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
      "def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:\n"
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
  at::Tensor y, of_x, of_weight, of_bias, of_shortcut, running_mean, running_var;
};

/// What goes in.
struct Maps {
  at::Tensor x, gradient, shortcut;
};

/// Sums with such a shortcut are nowhere near a limit, where rounding would decide what passes.
Maps maps_like(const at::Tensor& x) {
  return {x, at::randn_like(x), at::randn_like(x).sign() * 100 + at::randn_like(x)};
}

using Behind = std::function<at::Tensor(const at::Tensor& y, const at::Tensor& shortcut)>;

void differentiate(Pass& pass, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                   const at::Tensor& shortcut, const at::Tensor& gradient) {
  const auto of =
      torch::autograd::grad({pass.y}, {x, weight, bias, shortcut}, {gradient}, {}, false, /*allow_unused=*/true);
  pass.of_x = of[0], pass.of_weight = of[1], pass.of_bias = of[2], pass.of_shortcut = of[3];
}

/// By LibTorch's operators in float64.
Pass expected_pass(const torch::jit::Module& module, const Behind& behind, const Maps& maps) {
  const auto copy = [&](const char* name) { return module.attr(name).toTensor().detach().to(at::kDouble).clone(); };
  const at::Tensor weight = copy("weight").requires_grad_(), bias = copy("bias").requires_grad_();
  const at::Tensor x = maps.x.to(at::kDouble).requires_grad_();
  const at::Tensor shortcut = maps.shortcut.to(at::kDouble).requires_grad_();
  Pass pass;
  pass.running_mean = copy("running_mean"), pass.running_var = copy("running_var");
  pass.y = behind(at::batch_norm(x, weight, bias, pass.running_mean, pass.running_var, module.attr("training").toBool(),
                                 kMomentum, kEps, false),
                  shortcut);
  differentiate(pass, x, weight, bias, shortcut, maps.gradient.to(at::kDouble));
  return pass;
}

Pass pass_of(torch::jit::Module& module, const Maps& maps) {
  const at::Tensor weight = module.attr("weight").toTensor().requires_grad_();
  const at::Tensor bias = module.attr("bias").toTensor().requires_grad_();
  const at::Tensor x = maps.x.clone().requires_grad_(), shortcut = maps.shortcut.clone().requires_grad_();
  Pass pass;
  pass.y = module.forward({x, shortcut}).toTensor();
  differentiate(pass, x, weight, bias, shortcut, maps.gradient);
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
  const char* script;  ///< of y and shortcut
  Behind behind;
};

const BatchNormCase kBatchNormCases[] = {
    {"None", "y", [](const at::Tensor& y, const at::Tensor&) { return y; }},
    {"Relu", "torch.relu_(y)", [](const at::Tensor& y, const at::Tensor&) { return at::relu(y); }},
    {"Relu6", "torch.relu6(y)", [](const at::Tensor& y, const at::Tensor&) { return at::hardtanh(y, 0, 6); }},
    {"Hardtanh", "torch.hardtanh_(y, -0.5, 1.5)",
     [](const at::Tensor& y, const at::Tensor&) { return at::hardtanh(y, -0.5, 1.5); }},
    {"SumRelu", "torch.relu_(y.add_(shortcut))",
     [](const at::Tensor& y, const at::Tensor& shortcut) { return at::relu(y + shortcut); }},
    {"SumHardtanh", "torch.hardtanh_(y.add_(shortcut), -150.0, 50.5)",
     [](const at::Tensor& y, const at::Tensor& shortcut) { return at::hardtanh(y + shortcut, -150, 50.5); }},
};

class FusedBatchNorm : public testing::TestWithParam<std::tuple<BatchNormCase, bool, at::ScalarType, std::int64_t>> {};

TEST_P(FusedBatchNorm, AgreesWithLibTorchInDoublePrecision) {
  const auto& [what, training, type, channels] = GetParam();
  torch::manual_seed(3);
  auto module = norm_and(what.script, channels, training);
  ASSERT_THAT(fused_graph_of(module), AllOf(HasSubstr("graft::batch_norm"), Not(HasSubstr("aten::"))));
  // Of some thousand rows, for two threads.
  const Maps maps = maps_like(channels_last((at::randn({3, channels, 47, 31}) * 2 + kMean).to(type)));
  const Pass expected = expected_pass(module, what.behind, maps);
  const Pass found = pass_of(module, maps);
  const double of_sums = 2e-5, of_maps = type == at::kFloat ? 2e-5 : 3e-3;
  EXPECT_LT(distance(found.y, expected.y), of_maps);
  EXPECT_LT(distance(found.of_x, expected.of_x), of_maps);
  EXPECT_LT(distance(found.of_weight, expected.of_weight), of_sums);
  EXPECT_LT(distance(found.of_bias, expected.of_bias), of_sums);
  ASSERT_EQ(found.of_shortcut.defined(), expected.of_shortcut.defined());
  if (expected.of_shortcut.defined()) {
    EXPECT_LT(distance(found.of_shortcut, expected.of_shortcut), of_maps);
  }
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
  for (const char* script : {"torch.relu(y)", "torch.relu(y.add_(shortcut))"}) {
    for (const bool training : {false, true}) {
      torch::manual_seed(1);
      auto plain = norm_and(script, 6, training);
      auto fused = plain.clone();
      ASSERT_THAT(fused_graph_of(fused), HasSubstr("graft::batch_norm"));
      const Maps maps = maps_like(at::randn({4, 6, 5, 5}));
      const Pass expected = pass_of(plain, maps), found = pass_of(fused, maps);
      EXPECT_TRUE(found.y.equal(expected.y));
      EXPECT_TRUE(found.of_x.equal(expected.of_x));
      EXPECT_TRUE(found.running_var.equal(expected.running_var));
      if (expected.of_shortcut.defined()) {
        EXPECT_TRUE(found.of_shortcut.equal(expected.of_shortcut));
      }
    }
  }
}

TEST(FuseBatchNorms, WhatIsAddedMayBeOfAnotherLayoutOrSize) {
  torch::manual_seed(1);
  auto plain = norm_and("torch.relu(y.add_(shortcut))", 6, true);
  auto fused = plain.clone();
  fused_graph_of(fused);
  const at::Tensor x = channels_last(at::randn({4, 6, 5, 5}));
  for (const at::Tensor& shortcut :
       {at::randn({4, 6, 5, 5}), at::randn({1, 6, 1, 1}), channels_last(at::randn({1, 6, 5, 5}))}) {
    const Maps maps{x, at::randn_like(x), shortcut};
    const Pass expected = pass_of(plain, maps), found = pass_of(fused, maps);
    EXPECT_TRUE(found.y.equal(expected.y)) << shortcut.sizes();
    EXPECT_TRUE(found.of_shortcut.equal(expected.of_shortcut)) << shortcut.sizes();
  }
}

/// As LibTorch's relu: what a network's last BatchNorm, begun at zero, gives is neither above nor below.
TEST(FuseBatchNorms, NoGradientPassesAtALimit) {
  auto module = norm_and("torch.relu(y)", 3, true);
  fused_graph_of(module);
  module.attr("weight").toTensor().zero_();
  module.attr("bias").toTensor().zero_();
  const Maps maps = maps_like(channels_last(at::randn({2, 3, 4, 4})));
  EXPECT_EQ(pass_of(module, maps).of_bias.abs().sum().item<double>(), 0);
}

TEST(FuseBatchNorms, WhatIsNoNumberStaysSo) {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    auto module = norm_and("torch.relu(y)", 3, false);
    fused_graph_of(module);
    const at::Tensor x = channels_last(at::randn({2, 3, 4, 4}).to(type));
    x[1][2][3][0] = std::numeric_limits<double>::quiet_NaN();
    const at::Tensor y = module.forward({x, x}).toTensor();
    EXPECT_TRUE(y[1][2][3][0].isnan().item<bool>());
    EXPECT_EQ(y.isnan().sum().item<std::int64_t>(), 1);
  }
}

/// A block's shortcut is the block's input, or comes from a BatchNorm of its own.
TEST(FuseBatchNorms, AResNetHasNoSumsAndNoActivationsLeft) {
  for (const char* kind : {"scripted", "traced"}) {
    Backbone backbone = Backbone::load(test::FixtureBackbone{"resnet18", kind}.file(), {});
    const std::string graph = backbone.part(0, backbone.last_boundary()).graph()->toString(false);
    EXPECT_EQ(graph.find("aten::relu"), std::string::npos) << kind;
  }
}

TEST(FuseBatchNorms, LeavesActivationsThatItHasNot) {
  EXPECT_THAT(fused_graph_of(norm_and("torch.relu(y) + y", 3, true)), HasSubstr("aten::relu"));
  EXPECT_THAT(fused_graph_of(norm_and("torch.clamp(y, 0.0, 6.0)", 3, true)), HasSubstr("aten::clamp"));
  for (const char* sum : {"y.add_(shortcut)", "torch.relu(y.add_(shortcut, alpha=2))", "torch.relu(shortcut.add_(y))",
                          "torch.relu(y.add_(1.5))", "torch.relu(y.add_(x.mul_(2.0)))"})
    EXPECT_THAT(fused_graph_of(norm_and(sum, 3, true)), HasSubstr("aten::add_")) << sum;
  EXPECT_THAT(fused_graph_of(norm_and("torch.sigmoid(y)", 3, true)), HasSubstr("aten::sigmoid"));
  EXPECT_THAT(fused_graph_of(norm_and("torch.batch_norm(y, None, None, None, None, True, 0.1, 1e-5, False)", 3, true)),
              HasSubstr("aten::batch_norm"));
}

TEST(FuseBatchNorms, SecondDerivativesAreRefused) {
  auto module = norm_and("torch.relu(y)", 3, true);
  fused_graph_of(module);
  const at::Tensor x = channels_last(at::randn({2, 3, 4, 4})).requires_grad_();
  const at::Tensor sum = module.forward({x, x}).toTensor().sum();
  EXPECT_THROW(torch::autograd::grad({sum}, {x}, {}, true, /*create_graph=*/true), c10::Error);
}

}  // namespace
}  // namespace graft
