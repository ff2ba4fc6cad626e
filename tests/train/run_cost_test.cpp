#include "graft/train/run_cost.h"

#include <gtest/gtest.h>

namespace graft {
namespace {

/// 100 photos in 2 views and 50 more, at 10 epochs: powers of two, so that sums are exact.
PhaseCost phase() {
  PhaseCost cost;
  cost.name = "probe";
  cost.boundary = "features";
  cost.kept_at = "blocks.5 and features";
  cost.epochs = 10;
  cost.bytes = (61U << 20U) - 1;
  cost.train = {100, 2, 200, 200, 0.25, 0.5, 0.125};
  cost.val = {50, 1, 50, 50, 0.25, 1, 0.25};
  cost.engines_s = 4;
  cost.training_s = 16;
  cost.validation_s = 8;
  cost.saving_s = 2;
  return cost;
}

TEST(RunCost, AddsUpWhatAPhaseComputes) {
  const PhaseCost cost = phase();
  EXPECT_EQ(cost.decoding(), 200 * 0.25 + 50 * 0.25);
  EXPECT_EQ(cost.layers(), 4 + 200 * (0.5 + 0.125) + 50 * (1 + 0.25));
  EXPECT_EQ(cost.total(), 62.5 + 191.5 + 16 + 8 + 2);
  EXPECT_EQ(cost.without_keeping(), 10 * (100 * 0.875 + 50 * 1.5) + 4 + 16 + 8 + 2);
}

TEST(RunCost, OfARunIsItsPhasesAndWhatLiesRoundThem) {
  const RunCost run{3, {phase(), phase()}, 5};
  EXPECT_EQ(run.total(), 3 + 2 * phase().total() + 5);
  EXPECT_EQ(run.without_keeping(), 3 + 2 * phase().without_keeping() + 5);
  const Json json = to_json(run);
  EXPECT_EQ(json["total_s"], run.total());
  EXPECT_EQ(json["features_s"], 2 * (phase().decoding() + phase().layers()));
  EXPECT_EQ(json["epochs_s"], 2 * (phase().total() - 2));
  EXPECT_EQ(json["phases"][1]["rows_to_compute"], 250);
  EXPECT_EQ(json["phases"][1]["kept_at"], "blocks.5 and features");
}

TEST(RunCost, SaysWhatKeepingSavesInTheUnitOfTheWhole) {
  PhaseCost cost = phase();
  const auto text = [&](double training) {
    cost.training_s = training;
    return caching_text(cost);
  };
  const std::string where = "caching at blocks.5 and features: 61 MB, ";
  EXPECT_EQ(text(0), where + "saves 23 min of 27");
  EXPECT_EQ(text(2 * 7200), where + "saves 0.4 h of 4.5");
  cost.train = {4, 1, 4, 0, 0.25, 0.5, 0};
  cost.val = {};
  cost.engines_s = cost.validation_s = cost.saving_s = 0;
  EXPECT_EQ(text(2), where + "saves 27 s of 32");
  cost.epochs = 400;
  cost.train.from_images = 8;
  EXPECT_EQ(text(0), where + "saves 19.9 min of 20.0");  // not 20 of 20
  cost.epochs = 1;
  cost.train.from_images = 4;
  EXPECT_EQ(text(2), where + "saves nothing in this run");
  cost.train.from_images = 0;
  EXPECT_EQ(text(2), where + "all known before");
}

}  // namespace
}  // namespace graft
