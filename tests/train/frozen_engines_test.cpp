#include "graft/train/frozen_engines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "support/fixture_backbones.h"
#include "support/small_run.h"

namespace graft {
namespace {

/// Engines of the tiny network on the test photos, with a probe that always gives the same plan and counts its calls.
class FrozenEnginesTest : public testing::Test {
 protected:
  FrozenEnginesTest()
      : backbone_(Backbone::load(test::FixtureBackbone{"tiny_cnn", "scripted"}.file(), {.image_size = 32})),
        samples_(load_dataset(test::photos(), {}).samples) {
    input_.size = 32;
  }

  FrozenEngines engines(std::optional<EnginePlan> plan) {
    return FrozenEngines({input_, true, 1,
                          [this, plan](const EngineQuery& query, bool worth_it) {
                            asked_.push_back(worth_it);
                            EXPECT_EQ(query.to, backbone_.last_boundary());
                            EXPECT_FALSE(query.images.empty());
                            return plan;
                          },
                          [this](const std::string& text) { said_.push_back(text); }});
  }
  at::Tensor compute(FrozenEngines& engines, std::size_t rows) {
    return engines.part(backbone_, 0, backbone_.last_boundary(), samples_, rows)(images_);
  }

  Backbone backbone_;
  std::vector<Sample> samples_;
  InputSpec input_;
  at::Tensor images_ = torch::ones({3, 3, 32, 32});
  std::vector<bool> asked_;
  std::vector<std::string> said_;
};

TEST_F(FrozenEnginesTest, AFewRowsAreComputedPlainlyAtOnce) {
  auto engines = this->engines(EnginePlan{"onednn", 0});
  EXPECT_EQ(compute(engines, 99).sizes(), (std::vector<std::int64_t>{3, 32}));
  EXPECT_THAT(asked_, testing::IsEmpty());
  EXPECT_EQ(engines.plans()[0].at("engine"), "plain");
}

TEST_F(FrozenEnginesTest, MoreAreWorthAMemoryAndManyASearch) {
  auto few = engines(std::nullopt), many = engines(std::nullopt);
  compute(few, 100);
  compute(many, 1000);
  EXPECT_THAT(asked_, testing::ElementsAre(false, true));
}

TEST_F(FrozenEnginesTest, TheProbesPlanIsUsedAndSaidOnce) {
  auto engines = this->engines(EnginePlan{"onednn", 0});
  const at::Tensor first = compute(engines, 1000);
  EXPECT_TRUE(compute(engines, 1000).equal(first));
  EXPECT_EQ(asked_.size(), 1U);
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_THAT(said_[0], testing::HasSubstr("engine onednn"));
  EXPECT_EQ(engines.plans(), Json::parse(R"([{"from": 0, "to": )" + std::to_string(backbone_.last_boundary()) +
                                         R"(, "engine": "onednn", "exact": 0}])"));
}

TEST_F(FrozenEnginesTest, WhatARunGoesOnWithIsNotSearchedAgain) {
  auto engines = this->engines(std::nullopt);
  engines.use_plans(Json::array({{{"from", 0}, {"to", backbone_.last_boundary()}, {"engine", "bf16"}, {"exact", 0}}}));
  const at::Tensor rows = compute(engines, 100000);
  EXPECT_THAT(asked_, testing::IsEmpty());
  EXPECT_EQ(engines.plans()[0].at("engine"), "bf16");
  EXPECT_FALSE(rows.equal(backbone_.module().forward({images_}).toTensor()));
}

TEST_F(FrozenEnginesTest, EnginesOfLayersThatTrainedAreForgotten) {
  auto engines = this->engines(EnginePlan{});
  const at::Tensor before = compute(engines, 1000);
  auto tensors = backbone_.tensors();
  for (auto& [name, tensor] : tensors) tensor = tensor.clone();
  tensors.at("conv3.weight").mul_(3);
  backbone_.set_tensors(tensors);
  EXPECT_TRUE(compute(engines, 1000).equal(before));
  engines.trained_above(backbone_.last_boundary() - 1);
  EXPECT_FALSE(compute(engines, 1000).equal(before));
}

TEST(AnswerEngineQuery, TriesWhatTheMachineHas) {
  EngineQuery query;
  query.backbone = test::FixtureBackbone{"tiny_cnn", "scripted"}.file();
  query.options.image_size = query.input.size = 32;
  query.to = Backbone::load(query.backbone, query.options).last_boundary();
  query.images = {std::filesystem::path(GRAFT_SOURCE_DIR) / "tests/data/formats/rgb.jpg"};
  query.bfloat16 = false;
  const auto trials = answer_engine_query(query);
  ASSERT_EQ(trials.size(), 3U);
  for (const auto& trial : trials) EXPECT_EQ(trial.failure, "") << trial.plan.kind;
}

}  // namespace
}  // namespace graft
