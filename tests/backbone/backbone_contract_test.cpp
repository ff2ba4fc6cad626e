// What every backbone at hand must keep: whatever it is and however it was saved.
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <set>

#include "graft/backbone/backbone.h"
#include "graft/backbone/frozen_engine.h"
#include "graft/backbone/train_selection.h"
#include "support/fixture_backbones.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

using test::FixtureBackbone;

class BackboneContract : public testing::TestWithParam<FixtureBackbone> {
 protected:
  BackboneContract() : reference_(GetParam().reference()) {}

  Backbone load(ClassifierChoice choice = ClassifierChoice::kAuto) const {
    // A frozen SqueezeNet ends as a headless network may: its user has to say what it is.
    if (GetParam().name == "squeezenet1_1" && GetParam().is_frozen() && choice == ClassifierChoice::kAuto)
      choice = ClassifierChoice::kReplace;
    return Backbone::load(GetParam().file(), {.image_size = static_cast<int>(reference_.at("images").size(2)),
                                              .features = {.classifier = choice}});
  }

  at::Tensor expected_features(const std::string& name) const {
    const at::Tensor features = reference_.at(name);
    return features.dim() == 4 ? features.mean({2, 3}) : features;
  }

  std::map<std::string, at::Tensor> reference_;
};

std::map<std::string, at::Tensor> copies(const std::map<std::string, at::Tensor>& tensors) {
  std::map<std::string, at::Tensor> copied;
  for (const auto& [name, tensor] : tensors) copied[name] = tensor.detach().clone();
  return copied;
}

TEST_P(BackboneContract, FeaturesEqualPythons) {
  torch::NoGradGuard no_grad;
  Backbone backbone = load();
  for (const std::string batch : {"", "3"}) {
    const at::Tensor features = backbone.module().forward({reference_.at("images" + batch)}).toTensor();
    const at::Tensor expected = expected_features("features" + batch);
    ASSERT_EQ(features.sizes(), expected.sizes());
    // Freezing folds BatchNorm into convolutions, which rounds otherwise.
    EXPECT_TRUE(GetParam().is_frozen() ? features.allclose(expected, 1e-3, 1e-3 * expected.abs().max().item<double>())
                                       : features.equal(expected))
        << "largest difference " << (features - expected).abs().max().item<float>();
  }
  EXPECT_EQ(backbone.num_features(), expected_features("features").size(1));
}

TEST_P(BackboneContract, KeptOutputIsTheFilesOwn) {
  torch::NoGradGuard no_grad;
  Backbone backbone = load(ClassifierChoice::kKeep);
  auto file = torch::jit::load(GetParam().file().string());
  file.eval();
  const auto output = file.forward({reference_.at("images")});
  at::Tensor expected = output.isTensor() ? output.toTensor() : output.toTupleRef().elements()[0].toTensor();
  if (expected.dim() == 4) expected = expected.mean({2, 3});
  EXPECT_TRUE(backbone.module().forward({reference_.at("images")}).toTensor().equal(expected));
}

TEST_P(BackboneContract, AnyBoundaryPartsTheNetworkExactly) {
  torch::NoGradGuard no_grad;
  Backbone backbone = load();
  const at::Tensor whole = backbone.module().forward({reference_.at("images")}).toTensor();
  const std::size_t last = backbone.last_boundary();
  ASSERT_GT(last, 1U);
  for (const std::size_t boundary : std::set<std::size_t>{1, last / 2, last - 1}) {
    const at::Tensor crossing = backbone.part(0, boundary)({reference_.at("images").clone()}).toTensor();
    EXPECT_TRUE(backbone.part(boundary, last)({crossing}).toTensor().equal(whole)) << backbone.boundary_name(boundary);
  }
}

/// Convolutions round otherwise in another layout, and random weights blow that up: compared like with like.
void use_channels_last(Backbone& backbone) {
  for (auto& [name, tensor] : backbone.tensors())
    if (tensor.dim() == 4) tensor.set_data(tensor.contiguous(at::MemoryFormat::ChannelsLast));
}

TEST_P(BackboneContract, FrozenPartAgrees) {
  torch::NoGradGuard no_grad;
  Backbone backbone = load();
  use_channels_last(backbone);
  const at::Tensor images = reference_.at("images").contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor whole = backbone.module().forward({images}).toTensor();
  const FrozenEngine frozen(backbone, 0, backbone.last_boundary(), {.kind = "channels_last"}, images);
  const at::Tensor found = frozen(images);
  EXPECT_TRUE(found.allclose(whole, 1e-5, 1e-5 * whole.abs().max().item<double>()))
      << "largest difference " << (found - whole).abs().max().item<float>() << " of "
      << whole.abs().max().item<float>();
}

/// What a file is read anew for is what an artifact gets.
TEST_P(BackboneContract, ReloadedAndSavedFeaturesAreTheSame) {
  torch::NoGradGuard no_grad;
  test::TemporaryFolder folder;
  Backbone backbone = load();
  const at::Tensor whole = backbone.module().forward({reference_.at("images")}).toTensor();
  Backbone reloaded = backbone.reload();
  EXPECT_EQ(reloaded.summary(), backbone.summary());
  EXPECT_EQ(reloaded.notes(), backbone.notes());
  reloaded.module().save((folder / "features.pt").string());
  auto again = torch::jit::load((folder / "features.pt").string());
  again.eval();
  EXPECT_TRUE(again.forward({reference_.at("images")}).toTensor().equal(whole));
}

TEST_P(BackboneContract, AStepChangesWhatTrainsAndNothingElse) {
  Backbone backbone = load();
  const auto selection = select_trained({"last:1"}, backbone, {}, "train");
  ASSERT_FALSE(selection.backbone.empty());
  apply_selection(backbone.module(), selection.backbone, BatchNormStatistics::kFrozen);
  const auto before = copies(backbone.tensors());
  const std::size_t boundary = backbone.boundary_below(selection.backbone);
  const at::Tensor crossing = [&] {
    torch::NoGradGuard no_grad;
    return boundary == 0 ? reference_.at("images")
                         : backbone.part(0, boundary)({reference_.at("images").clone()}).toTensor();
  }();
  const at::Tensor features = boundary == backbone.last_boundary()
                                  ? crossing
                                  : backbone.part(boundary, backbone.last_boundary())({crossing.clone()}).toTensor();
  features.square().sum().backward();
  {
    torch::NoGradGuard no_grad;
    for (const auto& [name, parameter] : backbone.parameters())
      if (parameter.grad().defined()) parameter.sub_(parameter.grad().sign(), 1e-2);
  }
  std::set<std::string> changed;
  for (const auto& [name, tensor] : backbone.tensors())
    if (!tensor.equal(before.at(name))) changed.insert(name);
  EXPECT_EQ(changed, selection.backbone);
}

TEST_P(BackboneContract, WhatGradientsReachIsListed) {
  Backbone backbone = load();
  std::set<std::string> listed;
  for (const auto& [name, parameter] : backbone.parameters()) listed.insert(name);
  for (auto parameter : backbone.module().parameters()) parameter.set_requires_grad(true);
  backbone.module().forward({reference_.at("images").clone()}).toTensor().square().sum().backward();
  for (const auto& parameter : backbone.module().named_parameters())
    EXPECT_TRUE(!parameter.value.grad().defined() || listed.contains(parameter.name)) << parameter.name;
}

INSTANTIATE_TEST_SUITE_P(Every, BackboneContract, testing::ValuesIn(test::fixture_backbones()),
                         [](const auto& instance) { return instance.param.name + "_" + instance.param.kind; });

}  // namespace
}  // namespace graft
