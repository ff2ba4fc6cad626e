#include "graft/train/preset_choice.h"

#include <gmock/gmock.h>
#include <torch/types.h>

#include "graft/core/error.h"
#include "graft/train/ridge.h"
#include "graft/train/stored_run.h"
#include "support/parity.h"
#include "support/small_run.h"

namespace graft {
namespace {

using testing::HasSubstr;

TEST(Ridge, JudgesEachImageByAFitWithoutIt) {
  const test::ParityFixture reference("train/ridge.pt");
  const auto cases = reference.cases("scores");
  EXPECT_EQ(cases.size(), 2U);
  for (const auto& name : cases) {
    const at::Tensor found = leave_one_out_scores(reference.at(name + "/features"), reference.at(name + "/targets"),
                                                  reference.at(name + "/penalty").item<double>());
    const double apart = test::relative_error(found, reference.at(name + "/scores"));
    EXPECT_LT(test::noted("presets", "auto", apart), 1e-9) << name;
  }
}

TEST(PresetChoice, TheNumberOfPhotosDecidesAtBothEnds) {
  EXPECT_EQ(preset_by_size(99)->name, "tiny");
  EXPECT_FALSE(preset_by_size(100).has_value());
  EXPECT_FALSE(preset_by_size(100000).has_value());
  EXPECT_EQ(preset_by_size(100001)->name, "large");
}

TEST(PresetChoice, BetweenThemTheFeaturesDecide) {
  const auto choice = [](std::int64_t images, double accuracy) {
    return preset_by_facts({.images = images, .looked_at = 400, .accuracy = accuracy, .chance = 0.5});
  };
  EXPECT_EQ(choice(100, 0.975).name, "probe");
  EXPECT_EQ(choice(499, 0.97).name, "linear");
  EXPECT_EQ(choice(500, 0.97).name, "finetune");
  EXPECT_EQ(choice(500, 0.80).name, "finetune");
  EXPECT_EQ(choice(500, 0.79).name, "gradual");
  EXPECT_THAT(choice(500, 0.79).reason, HasSubstr("500 training photos"));
  EXPECT_THAT(choice(500, 0.79).reason, HasSubstr("right for 79 %, the commonest class for 50 %"));
}

TEST(PresetChoice, EveryPresetButLinearServesEveryTask) {
  for (const std::string& task : task_names())
    for (const char* preset : {"probe", "finetune", "gradual", "tiny", "large"}) {
      Json json = preset_recipe(preset, task);
      json["backbone"] = {{"file", "backbone.pt"}};
      EXPECT_EQ(read_recipe(json, "").preset, preset) << task;
    }
}

TEST(PresetChoice, LooksAtTheTrainingPhotosOfTheRun) {
  const RunSpec spec = test::spec(test::small_recipe(), "");
  const Dataset dataset = load_run_data(spec, {});
  std::vector<Sample> samples;
  for (const auto& sample : dataset.of(Split::kTrain)) samples.push_back(sample);
  // Each photo is there many times: a fit without one of them knows it by the others.
  std::vector<Sample> copies;
  for (int i = 0; i < 20; ++i) copies.insert(copies.end(), samples.begin(), samples.end());
  EXPECT_GT(linear_look(spec, copies), 0.75);
  // The same photo as often as there are others, each time with the other label: whoever is left out is taken for the
  // rest.
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = samples[0], samples[i].label = i % 2;
  EXPECT_LT(linear_look(spec, samples), 0.1);
  EXPECT_EQ(choose_preset(spec).name, "tiny");
}

TEST(PresetUnder, TheFlagThenTheRecipeThenProbe) {
  EXPECT_EQ(preset_under(Json::object(), ""), "probe");
  EXPECT_EQ(preset_under({{"preset", "none"}}, ""), "probe");
  EXPECT_EQ(preset_under({{"preset", "auto"}}, ""), "auto");
  EXPECT_EQ(preset_under({{"preset", "auto"}}, "tiny"), "tiny");
  EXPECT_THROW(preset_recipe("auto"), Error);
  EXPECT_EQ(preset_recipe("large").at("preset"), "large");
}

}  // namespace
}  // namespace graft
