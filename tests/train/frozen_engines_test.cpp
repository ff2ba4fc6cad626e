#include "graft/train/frozen_engines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "graft/core/files.h"
#include "support/fixture_backbones.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

constexpr std::size_t kMany = 4000;  // rows that are worth timing

/// Engines of the tiny network on the test photos.
class FrozenEnginesTest : public testing::Test {
 protected:
  FrozenEnginesTest()
      : backbone_(Backbone::load(test::FixtureBackbone{"tiny_cnn", "scripted"}.file(), {.image_size = 32})),
        samples_(load_dataset(test::photos(), {}).samples) {
    input_.size = 32;
  }

  FrozenEngines engines(bool reduced = false) {
    return FrozenEngines({input_, reduced, /*workers=*/1, folder_ / "engines",
                          [this](const std::string& text) { said_.push_back(text); }});
  }
  at::Tensor compute(FrozenEngines& engines, std::size_t rows) {
    return engines.part(backbone_, 0, backbone_.last_boundary(), samples_, rows)(images_);
  }
  std::string engine(const FrozenEngines& engines) { return engines.plans()[0].at("engine"); }
  std::vector<std::filesystem::path> remembered() const {
    if (!exists(folder_ / "engines")) return {};
    const auto files = std::filesystem::directory_iterator(folder_ / "engines");
    return {begin(files), end(files)};
  }

  test::TemporaryFolder folder_;
  Backbone backbone_;
  std::vector<Sample> samples_;
  InputSpec input_;
  at::Tensor images_ = torch::ones({3, 3, 32, 32});
  std::vector<std::string> said_;
};

TEST_F(FrozenEnginesTest, AFewRowsAreComputedPlainlyAtOnce) {
  auto engines = this->engines();
  EXPECT_EQ(compute(engines, 99).sizes(), (std::vector<std::int64_t>{3, 32}));
  EXPECT_EQ(engine(engines), "plain");
  EXPECT_THAT(said_, testing::IsEmpty());
}

TEST_F(FrozenEnginesTest, MoreAreWorthAComparisonThatIsSaidOnce) {
  auto engines = this->engines();
  const at::Tensor first = compute(engines, 100);
  EXPECT_TRUE(compute(engines, 100).equal(first));
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_THAT(said_[0], testing::HasSubstr("engine onednn"));
  EXPECT_THAT(remembered(), testing::IsEmpty());
  EXPECT_EQ(engines.searched_s(), 0);
  EXPECT_EQ(engines.plans(), Json::parse(R"([{"from": 0, "to": )" + std::to_string(backbone_.last_boundary()) +
                                         R"(, "engine": "onednn", "exact": 0}])"));
}

TEST_F(FrozenEnginesTest, ManyAreWorthTimingAndWhatIsFoundIsRemembered) {
  auto engines = this->engines();
  compute(engines, kMany);
  EXPECT_GT(engines.searched_s(), 0);
  ASSERT_EQ(remembered().size(), 1U);
  Json record = read_json_file(remembered()[0]);
  ASSERT_EQ(record["trials"].size(), 3U);
  for (const auto& trial : record["trials"]) {
    EXPECT_EQ(trial.at("failure"), "");
    EXPECT_GT(trial.at("rows_a_second"), 0);
  }
  // What stands there is taken, by small runs too.
  record["trials"] = {{{"engine", "channels_last"}, {"exact", 0}, {"failure", ""}}};
  replace_file(remembered()[0], record.dump());
  auto later = this->engines();
  compute(later, 100);
  EXPECT_EQ(engine(later), "channels_last");
  EXPECT_EQ(later.searched_s(), 0);
}

TEST_F(FrozenEnginesTest, WhatIsRememberedOfOtherLayersOrSettingsIsNotTaken) {
  auto first = this->engines();
  compute(first, kMany);
  auto rounded = this->engines(/*reduced=*/true);
  compute(rounded, kMany);
  EXPECT_EQ(remembered().size(), 2U);
  auto tensors = backbone_.tensors();
  for (auto& [name, tensor] : tensors) tensor = tensor.clone();
  tensors.at("conv3.weight").mul_(3);
  backbone_.set_tensors(tensors);
  auto trained = this->engines();
  compute(trained, kMany);
  EXPECT_EQ(remembered().size(), 3U);
}

TEST_F(FrozenEnginesTest, WhatARunGoesOnWithIsNotSearchedAgain) {
  auto engines = this->engines();
  engines.use_plans(Json::array({{{"from", 0}, {"to", backbone_.last_boundary()}, {"engine", "bf16"}, {"exact", 0}}}));
  const at::Tensor rows = compute(engines, 100000);
  EXPECT_THAT(remembered(), testing::IsEmpty());
  EXPECT_EQ(engine(engines), "bf16");
  EXPECT_FALSE(rows.equal(backbone_.module().forward({images_}).toTensor()));
}

TEST_F(FrozenEnginesTest, EnginesOfLayersThatTrainedAreForgotten) {
  auto engines = this->engines();
  const at::Tensor before = compute(engines, 1000);
  auto tensors = backbone_.tensors();
  for (auto& [name, tensor] : tensors) tensor = tensor.clone();
  tensors.at("conv3.weight").mul_(3);
  backbone_.set_tensors(tensors);
  EXPECT_TRUE(compute(engines, 1000).equal(before));
  engines.trained_above(backbone_.last_boundary() - 1);
  EXPECT_FALSE(compute(engines, 1000).equal(before));
}

}  // namespace
}  // namespace graft
