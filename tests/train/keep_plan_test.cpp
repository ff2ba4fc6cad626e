#include "graft/train/keep_plan.h"

#include <gtest/gtest.h>

namespace graft {
namespace {

/// Ten images; a row takes 40 bytes at boundary 0, and 30, 60, 20 and 5 at those after it.
KeepQuestion question(std::vector<RowUse> phases, std::size_t views, std::size_t memory, std::size_t disk = 0) {
  static constexpr std::size_t kRowBytes[]{40, 30, 60, 20, 5};
  return {.keep = "auto",
          .images = 10,
          .views = views,
          .phases = std::move(phases),
          .row_bytes = [](std::size_t boundary) { return kRowBytes[boundary]; },
          .memory = memory,
          .disk = disk};
}

TEST(KeepPlan, RowsAreKeptAtTheBoundaryWhereTheyFitToTheByte) {
  const KeepPlan plan = plan_keeping(question({{4, 6}}, 3, 150));
  EXPECT_TRUE(plan.in_memory);
  EXPECT_FALSE(plan.on_disk);
  EXPECT_EQ(plan.boundary, 4U);
  EXPECT_EQ(plan.shared, 4U);
  EXPECT_EQ(plan.views, 3U);
  EXPECT_EQ(plan.bytes, 150U);
  EXPECT_FALSE(plan_keeping(question({{4, 6}}, 3, 149)).keeps());
  EXPECT_TRUE(plan_keeping(question({{4, 6}}, 3, 149, 150)).on_disk);
  EXPECT_FALSE(plan_keeping(question({{4, 6}}, 3, 149, 149)).keeps());
}

TEST(KeepPlan, ViewsThatNoEpochReadsTakeNoRoom) {
  const KeepPlan plan = plan_keeping(question({{4, 2}, {3, 1}}, 8, 2 * 50 + 2 * 200));
  EXPECT_EQ(plan.views, 2U);
  EXPECT_EQ(plan.shared, 3U);
  EXPECT_EQ(plan.bytes, 500U);
}

TEST(KeepPlan, TheShallowestOfAllPhasesIsSharedWhereBothFit) {
  const std::vector<RowUse> phases{{4, 6}, {3, 6}, {1, 2}};
  EXPECT_EQ(plan_keeping(question(phases, 3, 150 + 900)).shared, 1U);
  const KeepPlan alone = plan_keeping(question(phases, 3, 150 + 899));
  EXPECT_EQ(alone.shared, 4U);
  EXPECT_EQ(alone.bytes, 150U);
  // The last phase reads more views than the first.
  EXPECT_EQ(plan_keeping(question({{4, 1}, {1, 2}}, 3, 100 + 600)).bytes, 50U + 600U);
}

TEST(KeepPlan, WhatIsReadOnceIsKeptForLaterRunsOnly) {
  EXPECT_FALSE(plan_keeping(question({{4, 3}}, 3, 1000)).keeps());
  EXPECT_TRUE(plan_keeping(question({{4, 4}}, 3, 1000)).keeps());
  EXPECT_TRUE(plan_keeping(question({{4, 3}, {4, 1}}, 3, 1000)).keeps());
  EXPECT_TRUE(plan_keeping(question({{4, 3}, {3, 1}}, 3, 1000)).keeps());
  EXPECT_TRUE(plan_keeping(question({{4, 3, true}}, 3, 1000)).keeps());
  EXPECT_TRUE(plan_keeping(question({{4, 3}}, 3, 1000, 1000)).on_disk);
  KeepQuestion asked_for = question({{4, 3}}, 3, 0);
  asked_for.keep = "memory";
  EXPECT_TRUE(plan_keeping(asked_for).in_memory);
}

TEST(KeepPlan, TheDeepestEarlierBoundaryThatFitsIsNextBest) {
  const KeepPlan plan = plan_keeping(question({{2, 6}}, 1, 500));
  EXPECT_TRUE(plan.in_memory);
  EXPECT_EQ(plan.boundary, 1U);
  EXPECT_EQ(plan.shared, 1U);
  EXPECT_EQ(plan.bytes, 300U);
  EXPECT_FALSE(plan_keeping(question({{2, 6}}, 1, 299)).keeps());
  EXPECT_FALSE(plan_keeping(question({{2, 2}}, 2, 1100)).keeps());  // each view is read once
  EXPECT_EQ(plan_keeping(question({{3, 6}}, 1, 0, 199)).keeps(), false);
}

TEST(KeepPlan, ImagesAsTheyAreTakeNoRoomOnDisk) {
  const KeepPlan plan = plan_keeping(question({{4, 6}, {0, 2}}, 1, 50 + 400, 50));
  EXPECT_EQ(plan.shared, 0U);
  EXPECT_TRUE(plan.on_disk);
  EXPECT_EQ(plan.bytes, 450U);
  EXPECT_EQ(plan.disk_bytes, 50U);
  EXPECT_EQ(plan_keeping(question({{4, 6}, {1, 2}}, 1, 350, 350)).disk_bytes, 350U);
  EXPECT_EQ(plan_keeping(question({{4, 6}, {1, 2}}, 1, 350)).disk_bytes, 0U);
}

TEST(KeepPlan, ARecipesWordCounts) {
  KeepQuestion asked_for = question({{4, 6}}, 1, 1000, 1000);
  asked_for.keep = "off";
  EXPECT_FALSE(plan_keeping(asked_for).keeps());
  asked_for.keep = "memory";
  EXPECT_FALSE(plan_keeping(asked_for).on_disk);
  asked_for.keep = "disk";
  EXPECT_TRUE(plan_keeping(asked_for).on_disk);
  EXPECT_FALSE(plan_keeping(asked_for).in_memory);
}

}  // namespace
}  // namespace graft
