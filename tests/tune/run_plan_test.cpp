#include "graft/tune/run_plan.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>

#include "graft/train/recipe.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

using test::small_recipe;

RunSpec spec(const Json& recipe, const std::filesystem::path& stores) {
  RunSpec spec = test::spec(recipe, "");
  spec.environment.stores = stores;
  return spec;
}

/// On augmented photos, the second phase deeper than the first, the third with the head alone again.
Json three_phases() {
  Json json = small_recipe("finetune");
  json["cache"]["views"] = 2;
  json["phases"] = Json::parse(R"([{"name": "probe", "epochs": 3, "optimizer": "adamw"},
                                   {"name": "tune", "epochs": 1, "train": ["head", "last:1"], "optimizer": "adamw"},
                                   {"name": "again", "epochs": 2, "optimizer": "adamw"}])");
  return json;
}

/// How many photos the frozen layers have computed.
class CountComputed : public Observer {
 public:
  void on_frozen_progress(std::size_t done, std::size_t total) override { computed += done == total ? total : 0; }
  void on_message(const std::string& text) override { said += text + "\n"; }
  std::size_t computed = 0;
  std::string said;
};

std::int64_t planned(const RunCost& cost) {
  std::int64_t rows = 0;
  for (const auto& phase : cost.phases) rows += phase.train.from_images + phase.val.from_images;
  return rows;
}

TEST(RunPlan, CountsTheRowsThatARunThenComputes) {
  test::TemporaryFolder folder;
  const RunCost cost = plan_run(spec(three_phases(), folder / "stores"));
  EXPECT_FALSE(std::filesystem::exists(folder / "stores"));
  ASSERT_EQ(cost.phases.size(), 3U);
  EXPECT_EQ(cost.phases[1].train.from_images, 0);  // what the probe computes serves the next phase
  for (const auto& phase : cost.phases) EXPECT_GT(phase.total(), 0);
  RunSpec run = spec(three_phases(), folder / "stores");
  run.folder = folder / "run";
  const auto count = std::make_shared<CountComputed>();
  Trainer trainer(run);
  trainer.add_observer(count);
  EXPECT_TRUE(trainer.run().finished);
  EXPECT_EQ(static_cast<std::int64_t>(count->computed), planned(cost));
  EXPECT_NE(count->said.find("caching at " + cost.phases[0].kept_at + ": 1 MB, saves"), std::string::npos);
  EXPECT_LT(planned(plan_run(run)), planned(cost));
}

TEST(RunPlan, AFitOfAllImagesAtOnceIsTimedToo) {
  const RunCost cost = plan_run(spec(small_recipe("linear"), ""));
  EXPECT_GT(cost.phases[0].training_s, 0);
  EXPECT_EQ(cost.phases[0].train.from_images, cost.phases[0].train.images);
}

TEST(RunPlan, ATeacherIsAskedAboutAFewPhotosAndCounted) {
  test::TemporaryFolder folder;
  torch::jit::Module teacher("Teacher");
  teacher.define("def forward(self, x):\n  return x.mean([2, 3])[:, :2]\n");
  teacher.save((folder / "teacher.pt").string());
  Json recipe = small_recipe("probe");
  recipe["distill"] = {{"teacher", (folder / "teacher.pt").string()}};
  EXPECT_GT(plan_run(spec(recipe, "")).total(), 0);
}

}  // namespace
}  // namespace graft
