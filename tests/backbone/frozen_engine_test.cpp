// Whatever computes frozen layers computes what they say.
#include "graft/backbone/frozen_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "graft/core/error.h"
#include "graft/core/runtime.h"
#include "support/fixture_backbones.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

constexpr std::int64_t kRows = 4;

Backbone fixture(const std::string& name, const std::string& kind, int size) {
  return Backbone::load(test::FixtureBackbone{name, kind}.file(), {.image_size = size});
}

at::Tensor images(std::int64_t count, int size) {
  torch::manual_seed(1);
  return torch::randn({count, 3, size, size});
}

at::Tensor plain(const Backbone& backbone, std::size_t from, std::size_t to, const at::Tensor& rows) {
  return FrozenEngine(backbone, from, to, {}, rows)(rows);
}

struct EngineCase {
  std::string name, kind;
  int size;
  friend void PrintTo(const EngineCase& c, std::ostream* out) { *out << c.name << " " << c.kind; }
};

class EngineKinds : public testing::TestWithParam<EngineCase> {};

TEST_P(EngineKinds, AgreeWithThePlainOne) {
  const auto [name, kind, size] = GetParam();
  const Backbone backbone = fixture(name, kind, size);
  const at::Tensor rows = images(kRows, size);
  const at::Tensor expected = plain(backbone, 0, backbone.last_boundary(), rows);
  for (const auto& engine_kind : engine_kinds()) {
    if (engine_kind.type == at::kHalf || (engine_kind.onednn && !engine_kind.suits(at::kCPU))) continue;
    const FrozenEngine engine(backbone, 0, backbone.last_boundary(), {.kind = engine_kind.name}, rows);
    const EngineError error = compare(engine(rows), expected);
    // Random weights make bfloat16 worse than trained ones do: what a search would refuse is still the same function.
    EXPECT_LE(error.error, engine_kind.is_reduced() ? 5e-2 : 1e-5) << engine_kind.name;
    EXPECT_GE(error.cosine, 0.98) << engine_kind.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, EngineKinds,
                         testing::Values(EngineCase{"tiny_cnn", "scripted", 32},
                                         EngineCase{"tiny_cnn", "traced_frozen", 32},
                                         EngineCase{"resnet18", "scripted", 64},
                                         EngineCase{"mobilenet_v2", "traced", 64},
                                         EngineCase{"densenet121", "scripted_frozen", 64},
                                         EngineCase{"vit_tiny_patch16_224", "traced", 224}));

TEST(FrozenEngine, TakesAnyNumberOfRowsAndLeavesThemAsTheyAre) {
  const Backbone backbone = fixture("mobilenet_v2", "scripted", 64);
  const std::size_t from = 3, to = backbone.last_boundary();
  const at::Tensor rows = plain(backbone, 0, from, images(11, 64));
  const at::Tensor before = rows.clone();
  for (const char* kind : {"plain", "channels_last", "onednn"}) {
    const FrozenEngine engine(backbone, from, to, {.kind = kind}, rows.slice(0, 0, kRows));
    const at::Tensor all = engine(rows);
    EXPECT_TRUE(rows.equal(before)) << kind;
    ASSERT_EQ(all.size(0), 11);
    EXPECT_TRUE(compare(all, plain(backbone, from, to, rows)).agrees(engine_kind("onednn"))) << kind;
    EXPECT_TRUE(engine(rows.slice(0, 10)).equal(all.slice(0, 10))) << kind << ": a short batch is filled up";
  }
}

TEST(FrozenEngine, HoldsTheTensorsThatTheBackboneHadWhenItWasBuilt) {
  Backbone backbone = fixture("tiny_cnn", "scripted", 32);
  const at::Tensor rows = images(kRows, 32);
  const FrozenEngine before(backbone, 0, backbone.last_boundary(), {}, rows);
  const at::Tensor expected = before(rows);
  auto tensors = backbone.tensors();
  for (auto& [name, tensor] : tensors) tensor = tensor.clone();
  tensors.at("conv1.weight").mul_(2).add_(0.1);
  backbone.set_tensors(tensors);
  EXPECT_TRUE(before(rows).equal(expected));
  const at::Tensor after = plain(backbone, 0, backbone.last_boundary(), rows);
  EXPECT_FALSE(after.allclose(expected, 1e-2));
  EXPECT_TRUE(after.allclose(backbone.module().forward({rows}).toTensor().detach(), 1e-4, 1e-5));
}

TEST(FrozenEngine, KeepsTheFirstLayersInFloat32WhereAsked) {
  const Backbone backbone = fixture("resnet18", "scripted", 64);
  const std::size_t to = backbone.last_boundary();
  const at::Tensor rows = images(kRows, 64);
  const at::Tensor expected = FrozenEngine(backbone, 0, to, {}, rows)(rows);
  const auto error = [&](std::size_t exact) {
    return compare(FrozenEngine(backbone, 0, to, {"bf16", exact}, rows)(rows), expected).error;
  };
  EXPECT_GT(error(0), error(to - 1));
  EXPECT_LE(error(to), 1e-5);
}

TEST(FrozenEngine, AnUnknownKindIsAnError) {
  const Backbone backbone = fixture("tiny_cnn", "scripted", 32);
  EXPECT_THROW(FrozenEngine(backbone, 0, 1, {.kind = "onedn"}, images(1, 32)), Error);
}

TEST(Backbone, BoundaryAtCountsConvolutionsAndProducts) {
  const Backbone backbone = fixture("tiny_cnn", "scripted", 32);  // three convolutions
  const std::size_t to = backbone.last_boundary();
  EXPECT_EQ(backbone.boundary_at(0, 0, to), 0U);
  // Behind the activation, in front of the next.
  EXPECT_EQ(backbone.boundary_name(backbone.boundary_at(1.0 / 3, 0, to) + 1), "conv2");
  EXPECT_EQ(backbone.boundary_name(backbone.boundary_at(2.0 / 3, 0, to) + 1), "conv3");
  EXPECT_EQ(backbone.crossing_sizes(0), (std::vector<std::int64_t>{3, 32, 32}));
  EXPECT_EQ(backbone.crossing_sizes(to), (std::vector<std::int64_t>{32}));
}

bool convolves_in_half() {
  try {
    at::conv2d(torch::ones({1, 3, 8, 8}).to(at::kHalf), torch::ones({4, 3, 3, 3}).to(at::kHalf));
    return true;
  } catch (const c10::Error&) {
    return false;
  }
}

/// It is a GPU's way, and some processors can do it.
TEST(FrozenEngine, HalfPrecisionIsTheSameFunction) {
  if (!convolves_in_half()) GTEST_SKIP() << "LibTorch does not compute convolutions in half precision here";
  const Backbone backbone = fixture("tiny_cnn", "scripted", 32);
  const std::size_t to = backbone.last_boundary();
  const EngineExample example = plain_example(backbone, 0, to, images(kRows, 32));
  for (const std::size_t exact : {std::size_t{0}, backbone.boundary_at(0.5, 0, to)}) {
    const EngineTrial trial = try_engine(backbone, 0, to, {"fp16", exact}, example);
    EXPECT_TRUE(trial.engine) << trial.failure;
    EXPECT_GT(trial.error.error, 0) << exact;  // it is rounded
    EXPECT_EQ(trial.engine->of_example().scalar_type(), at::kFloat);
  }
}

TEST(FrozenEngine, EachKindSuitsWhatComputesIt) {
  for (const auto& kind : engine_kinds()) {
    EXPECT_EQ(kind.suits(at::kCUDA), kind.type == at::kHalf || !(kind.onednn || kind.is_reduced())) << kind.name;
    EXPECT_EQ(kind.suits(at::kCPU), kind.type == at::kFloat || (kind.type == at::kBFloat16 && has_fast_bfloat16()))
        << kind.name;
  }
}

TEST(FindEngines, TakesTheFirstThatAgreesOrTimesAll) {
  const Backbone backbone = fixture("tiny_cnn", "scripted", 32);
  const std::size_t to = backbone.last_boundary();
  const EngineExample example = plain_example(backbone, 0, to, images(kRows, 32));
  const auto quick = find_engines(backbone, 0, to, example, {});
  ASSERT_EQ(quick.size(), 1U);
  EXPECT_EQ(quick[0].plan, (EnginePlan{"onednn", 0}));
  EXPECT_TRUE(quick[0].engine);
  EXPECT_EQ(quick[0].failure, "");
  const auto timed = find_engines(backbone, 0, to, example, {.reduced = true, .timing_workers = 2});
  EXPECT_EQ(timed.size(), has_fast_bfloat16() ? 5U : 3U);
  for (std::size_t i = 0; i < timed.size(); ++i) {
    EXPECT_EQ(timed[i].failure, "") << timed[i].plan.kind;
    EXPECT_GT(timed[i].rows_per_second, 0);
  }
  EXPECT_TRUE(std::ranges::is_sorted(timed, std::greater(), &EngineTrial::rows_per_second));
}

// view() refuses what a convolution in channels_last gives.
TEST(FindEngines, ANetworkThatNeedsItsLayoutKeepsIt) {
  const test::TemporaryFolder folder;
  torch::jit::Module module("Net");
  module.register_parameter("w", torch::randn({4, 3, 3, 3}), false);
  module.define("def forward(self, x):\n    y = torch.conv2d(x, self.w)\n    return y.view([x.size(0), -1])\n");
  module.save((folder / "net.pt").string());
  const auto backbone =
      Backbone::load(folder / "net.pt", {.image_size = 8, .features = {.classifier = ClassifierChoice::kKeep}});
  const std::size_t to = backbone.last_boundary();
  const auto trials =
      find_engines(backbone, 0, to, plain_example(backbone, 0, to, images(kRows, 8)), {.timing_workers = 1});
  ASSERT_EQ(trials.size(), 3U);
  EXPECT_EQ(trials[0].plan.kind, "plain");
  for (const std::size_t other : {1U, 2U}) {
    EXPECT_THAT(trials[other].failure, testing::HasSubstr("view size"));
    EXPECT_FALSE(trials[other].engine);
  }
}

// A table that the network makes anew when the number of tokens changes, as gated positional attention has it.
TEST(FrozenEngine, ANetworkMayKeepAttributesWhileItRuns) {
  const test::TemporaryFolder folder;
  torch::jit::Module module("Net");
  module.register_attribute("table", c10::TensorType::get(), torch::zeros({1}));
  module.register_parameter("w", torch::randn({2, 3}), false);
  module.define(R"(
def forward(self, x):
    t = x.flatten(2).mean(2)
    if self.table.size(0) != x.size(2):
        self.table = torch.ones([x.size(2)])
    return torch.linear(t, self.w) * self.table.sum()
)");
  module.save((folder / "net.pt").string());
  const auto backbone =
      Backbone::load(folder / "net.pt", {.image_size = 8, .features = {.classifier = ClassifierChoice::kKeep}});
  const at::Tensor rows = images(kRows, 8);
  auto file = torch::jit::load((folder / "net.pt").string());
  EXPECT_TRUE(plain(backbone, 0, backbone.last_boundary(), rows).allclose(file.forward({rows}).toTensor()));
}

// The interpreter follows what each node knows of its callers when an operator throws.
TEST(FrozenEngine, AnErrorInAScriptedNetworkIsAnError) {
  const Backbone backbone = fixture("resnet18", "scripted", 64);
  const FrozenEngine engine(backbone, 0, backbone.last_boundary(), {}, images(1, 64));
  EXPECT_THROW(engine(torch::ones({1, 5, 64, 64})), std::exception);
}

// A difference of two numbers that only bfloat16 mistakes for equal, blown up.
TEST(FindEngines, WhatDiffersIsOutOfTheQuestion) {
  const test::TemporaryFolder folder;
  torch::jit::Module module("Net");
  module.register_parameter("w", torch::full({2, 3}, 1.0), false);
  module.define(
      "def forward(self, x):\n    y = torch.linear(x.mean([2, 3]) + 256, self.w)\n    return (y - 768) * 1000\n");
  module.save((folder / "net.pt").string());
  const auto backbone =
      Backbone::load(folder / "net.pt", {.image_size = 8, .features = {.classifier = ClassifierChoice::kKeep}});
  const at::Tensor rows = images(kRows, 8);
  const at::Tensor expected = plain(backbone, 0, backbone.last_boundary(), rows);
  const FrozenEngine rounded(backbone, 0, backbone.last_boundary(), {.kind = "bf16"}, rows);
  EXPECT_FALSE(compare(rounded(rows), expected).agrees(engine_kind("bf16")));
}

TEST(EngineError, ANumberThatIsNoneAgreesWithNothing) {
  const at::Tensor broken = torch::full({2, 2}, std::numeric_limits<float>::quiet_NaN());
  EXPECT_FALSE(compare(broken, torch::ones({2, 2})).agrees(engine_kind("bf16")));
  EXPECT_FALSE(compare(broken, torch::ones({2, 2})).agrees(engine_kind("onednn")));
}

}  // namespace
}  // namespace graft
