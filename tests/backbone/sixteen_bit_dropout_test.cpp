#include "graft/backbone/sixteen_bit_dropout.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

namespace graft {
namespace {

/// A module that drops out with this probability, in training mode.
torch::jit::Module dropout_of(double p) {
  torch::jit::Module module("Dropout");
  module.register_attribute("training", c10::BoolType::get(), true);
  module.register_attribute("p", c10::FloatType::get(), p);
  module.define("def forward(self, x: Tensor) -> Tensor:\n    return torch.dropout(x, self.p, self.training)\n");
  graph::use_sixteen_bit_dropout(module);
  return module;
}

/// What it makes of ones.
at::Tensor mask_of(double p, std::int64_t count, std::uint64_t seed = 7) {
  torch::manual_seed(seed);
  return dropout_of(p).forward({at::ones({count})}).toTensor();
}

TEST(SixteenBitDropout, DropsAsManyAsItIsToldAndScalesTheOthers) {
  constexpr std::int64_t kCount = 1 << 20;
  for (const double p : {0.1, 0.2, 0.5, 0.9}) {
    const at::Tensor mask = mask_of(p, kCount);
    const double kept = (mask > 0).to(at::kDouble).mean().item<double>();
    EXPECT_NEAR(kept, 1 - p, 5 * std::sqrt(p * (1 - p) / kCount)) << p;
    EXPECT_NEAR(mask.max().item<double>(), 1 / (1 - p), 2e-5 / (1 - p) / (1 - p)) << p;
    EXPECT_EQ(((mask == 0) | (mask == mask.max())).sum().item<std::int64_t>(), kCount) << p;
  }
}

/// Four numbers come of one draw.
TEST(SixteenBitDropout, NeighboursAreDrawnIndependently) {
  constexpr std::int64_t kCount = 1 << 20;
  const at::Tensor dropped = (mask_of(0.5, kCount) == 0).to(at::kDouble) - 0.5;
  for (std::int64_t place = 0; place < 4; ++place)
    EXPECT_NEAR(dropped.slice(0, place, kCount, 4).mean().item<double>(), 0, 5 * 0.5 / std::sqrt(kCount / 4)) << place;
  for (std::int64_t lag = 1; lag <= 4; ++lag)
    EXPECT_NEAR((dropped.slice(0, lag) * dropped.slice(0, 0, kCount - lag)).mean().item<double>(), 0,
                5 * 0.25 / std::sqrt(kCount))
        << lag;
}

TEST(SixteenBitDropout, OneSeedGivesOneMask) {
  EXPECT_TRUE(mask_of(0.3, 1001, 1).equal(mask_of(0.3, 1001, 1)));
  EXPECT_FALSE(mask_of(0.3, 1001, 1).equal(mask_of(0.3, 1001, 2)));
}

TEST(SixteenBitDropout, ZeroDropsNothingAndNearlyOneNearlyAll) {
  EXPECT_TRUE(mask_of(0, 1001).equal(at::ones({1001})));
  EXPECT_LT((mask_of(1 - 1e-6, 1001) > 0).sum().item<std::int64_t>(), 10);
}

TEST(SixteenBitDropout, GradientsPassWhereNumbersDo) {
  auto module = dropout_of(0.4);
  for (int call = 0; call < 3; ++call) {  // a program may run otherwise when it has been run before
    const at::Tensor x = torch::randn({64, 33}).t().requires_grad_();  // of strides that are not the usual ones
    const at::Tensor y = module.forward({x}).toTensor();
    y.sum().backward();
    EXPECT_TRUE(y.allclose(x * x.grad()));
    EXPECT_GT((x.grad() == 0).sum().item<std::int64_t>(), 0);
  }
}

TEST(SixteenBitDropout, OutsideTrainingNothingIsDropped) {
  auto module = dropout_of(0.4);
  module.eval();
  const at::Tensor x = torch::randn({5, 7});
  EXPECT_TRUE(module.forward({x}).toTensor().equal(x));
}

}  // namespace
}  // namespace graft
