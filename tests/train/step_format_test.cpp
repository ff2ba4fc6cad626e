#include "graft/train/step_format.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "graft/core/error.h"
#include "graft/core/random.h"
#include "graft/head/build_head.h"
#include "support/fixture_backbones.h"

namespace graft {
namespace {

/// A small network all of which trains.
Network network_of(const std::string& backbone, int size) {
  Backbone loaded = Backbone::load(test::FixtureBackbone{backbone, "scripted"}.file(), {.image_size = size});
  std::vector<Problem> problems;
  const HeadSpec head = read_head_spec(Json::parse(R"([{"linear": "classes"}])"), "head", problems);
  auto module = build_head(head, loaded.num_features(), 3, /*seed=*/0);
  Network network(std::move(loaded), std::move(module), c10::kCPU);
  network.select(select_trained({"*"}, network.backbone(), network.head_parameters(), "train"),
                 BatchNormStatistics::kFrozen);
  return network;
}

at::Tensor images(int size) {
  seed_torch(1);
  return at::randn({2, 3, size, size});
}

/// Gradients of all parameters, one after the other.
at::Tensor gradients(Network& network, int size, StepFormat format) {
  network.compute_in(format);
  for (const auto& [name, parameter] : network.backbone().parameters()) parameter.mutable_grad() = at::Tensor();
  network.logits(images(size)).square().sum().backward();
  std::vector<at::Tensor> all;
  for (const auto& [name, parameter] : network.backbone().parameters()) {
    EXPECT_EQ(parameter.grad().scalar_type(), at::kFloat) << name;
    all.push_back(parameter.grad().flatten());
  }
  return at::cat(all);
}

struct Case {
  const char* backbone;
  int size;
  friend void PrintTo(const Case& one, std::ostream* out) { *out << one.backbone; }
};

class StepFormatOf : public testing::TestWithParam<Case> {
 protected:
  int size() const { return GetParam().size; }
  Network network = network_of(GetParam().backbone, GetParam().size);
};

TEST_P(StepFormatOf, GivesTheGradientsOfThePlainOneUpToItsRoundings) {
  const at::Tensor plain = gradients(network, size(), StepFormat::kPlain);
  const at::Tensor channels_last = gradients(network, size(), StepFormat::kChannelsLast);
  const at::Tensor bfloat16 = gradients(network, size(), StepFormat::kBfloat16);
  EXPECT_LE((channels_last - plain).norm().item<double>(), 1e-5 * plain.norm().item<double>());
  EXPECT_GE(at::cosine_similarity(bfloat16, plain, 0).item<double>(), 0.9);  // of random weights: ReLUs turn round
  EXPECT_FALSE(at::equal(bfloat16, plain));
}

TEST_P(StepFormatOf, SeesWeightsThatHaveChanged) {
  const c10::NoGradGuard no_grad;
  network.compute_in(StepFormat::kBfloat16);
  const at::Tensor before = network.features(images(size()));
  for (const auto& [name, parameter] : network.backbone().parameters()) parameter.mul_(0.5);
  EXPECT_FALSE(at::equal(network.features(images(size())), before));
}

INSTANTIATE_TEST_SUITE_P(, StepFormatOf,
                         testing::Values(Case{"tiny_cnn", 32}, Case{"resnet18", 64},
                                         Case{"vit_tiny_patch16_224", 224}));

TEST(ChooseStepFormat, KeepsToFloat32WhereItIsAskedTo) {
  Network network = network_of("tiny_cnn", 32);
  const StepTrial trial = choose_step_format(network, images(32), {.bfloat16 = false});
  EXPECT_EQ(trial.format, StepFormat::kChannelsLast);
  EXPECT_LE(trial.error.error, 1e-5);
}

TEST(ChooseStepFormat, TakesTheKnownOneWhateverIsFaster) {
  Network network = network_of("tiny_cnn", 32);
  const StepTrial trial = choose_step_format(network, images(32), {.known = StepFormat::kPlain, .timed_rows = 4});
  EXPECT_EQ(trial.format, StepFormat::kPlain);
  EXPECT_EQ(trial.rows_per_second, 0);
}

TEST(ChooseStepFormat, AKnownOneThatDoesNotAgreeIsNotTaken) {
  Network network = network_of("tiny_cnn", 32);
  const StepTrial trial = choose_step_format(network, images(32), {.known = StepFormat::kBfloat16});
  EXPECT_EQ(trial.format, StepFormat::kChannelsLast) << "bfloat16 may not be used";
}

TEST(ChooseStepFormat, TimingLeavesTheNetworkAsItWas) {
  Network network = network_of("resnet18", 64);
  network.select(select_trained({"*"}, network.backbone(), network.head_parameters(), "train"),
                 BatchNormStatistics::kUpdate);
  const auto before = copy_tensors(network.moving_buffers());
  const StepTrial trial = choose_step_format(network, images(64), {.timed_rows = 3});
  EXPECT_GT(trial.rows_per_second, 0);
  EXPECT_FALSE(before.empty());
  for (const auto& [name, buffer] : network.moving_buffers()) EXPECT_TRUE(buffer.equal(before.at(name))) << name;
  for (const auto& [name, parameter] : network.backbone().parameters())
    EXPECT_FALSE(parameter.grad().defined()) << name;
}

TEST(ChooseStepFormat, NamesComeBack) {
  for (const auto format : {StepFormat::kPlain, StepFormat::kChannelsLast, StepFormat::kBfloat16})
    EXPECT_EQ(step_format(to_string(format)), format);
  EXPECT_THROW(step_format("fp8"), Error);
}

}  // namespace
}  // namespace graft
