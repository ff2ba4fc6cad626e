#include "graft/train/frozen_activations.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <fstream>

#include "graft/core/error.h"
#include "support/fixture_backbones.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

/// The test photos on their way through a small network, in batches of eight.
class FrozenActivationsTest : public testing::Test {
 protected:
  FrozenActivationsTest()
      : backbone_(Backbone::load(test::FixtureBackbone{"resnet18", "scripted"}.file(), {.image_size = 64})),
        samples_(load_dataset(test::photos(), {}).samples) {
    input_.size = 64;
  }

  FrozenActivations activations(FrozenActivations::Options options) {
    options.message = [](const std::string&) {};
    return {{samples_, input_, {}, 8, 1}, options, engines_};
  }
  std::size_t bytes_at(std::size_t boundary) const {
    if (boundary == 0) return samples_.size() * 64 * 64 * 3;
    return samples_.size() * 4 * static_cast<std::size_t>(c10::multiply_integers(backbone_.crossing_sizes(boundary)));
  }
  /// The rows of an epoch, and how many images passed the layers from the images on.
  at::Tensor epoch(FrozenActivations& activations, std::size_t& computed) {
    std::vector<at::Tensor> rows;
    activations.for_each_batch(
        batches_in_order(samples_.size(), 8), 0, [&](at::Tensor batch, const auto&) { rows.push_back(batch); },
        [&](std::size_t done, std::size_t) { computed = done; }, {});
    return at::cat(rows);
  }

  Backbone backbone_;
  std::vector<Sample> samples_;
  InputSpec input_;
  FrozenEngines engines_{{input_, false, 1, {}, [](const std::string&) {}}};
};

TEST_F(FrozenActivationsTest, RowsTooLargeToKeepAreComputedFromSmallerOnesThatAreKept) {
  const std::size_t boundary = 1;  // the first convolution gives 64 channels of a quarter of the pixels
  ASSERT_GT(bytes_at(boundary), bytes_at(0));
  FrozenActivations whole = activations({.memory = bytes_at(boundary), .precision = "fp32"});
  FrozenActivations part = activations({.memory = bytes_at(0), .precision = "fp32"});
  FrozenActivations none = activations({.memory = bytes_at(0) - 1, .precision = "fp32"});
  for (auto* set : {&whole, &part, &none}) set->prepare(backbone_, {{boundary, 2}});
  EXPECT_EQ(whole.kept().boundary, boundary);
  EXPECT_EQ(part.kept().boundary, 0U);
  EXPECT_EQ(part.kept().bytes, bytes_at(0));
  EXPECT_FALSE(none.keeps());
  std::size_t computed = 0, again = 0;
  const at::Tensor rows = epoch(whole, computed);
  EXPECT_TRUE(epoch(part, computed).equal(rows));
  EXPECT_EQ(computed, samples_.size());
  EXPECT_TRUE(epoch(part, again).equal(rows));
  EXPECT_EQ(again, 0U);
  EXPECT_TRUE(epoch(none, computed).equal(rows));
}

TEST_F(FrozenActivationsTest, MapsAreKeptInHalfTheBytesWherePrecisionIsNotAskedFor) {
  const std::size_t maps = 2, features = backbone_.last_boundary();
  const auto kept = [&](const std::string& precision, std::size_t boundary, at::Tensor& rows) {
    test::TemporaryFolder folder;
    FrozenActivations set = activations({.memory = 1U << 30U, .stores = folder / "stores", .precision = precision});
    set.prepare(backbone_, {{boundary, 2}});
    std::size_t computed = 0;
    rows = epoch(set, computed);
    const std::size_t bytes = std::filesystem::file_size(list_row_stores(folder / "stores").front().folder / "rows");
    EXPECT_EQ(set.kept().bytes, bytes);
    return bytes;
  };
  at::Tensor exact, rounded;
  EXPECT_EQ(kept("fp32", maps, exact), bytes_at(maps));
  EXPECT_EQ(kept("auto", maps, rounded), bytes_at(maps) / 2);
  EXPECT_TRUE(rounded.equal(exact.to(at::kBFloat16).to(at::kFloat)));
  EXPECT_EQ(kept("auto", features, rounded), bytes_at(features));
}

TEST_F(FrozenActivationsTest, WhatAViewTookIsMeasuredOnce) {
  const std::size_t features = backbone_.last_boundary();
  FrozenActivations set = activations({.memory = 1U << 30U});
  set.prepare(backbone_, {{features, 3}, {2, 3}});
  EXPECT_FALSE(set.measured());
  std::size_t computed = 0;
  epoch(set, computed);
  ASSERT_TRUE(set.measured());
  EXPECT_EQ(set.measured()->from_images, std::ssize(samples_));
  EXPECT_EQ(set.measured()->from_shared, std::ssize(samples_));
  set.prepare(backbone_, {{2, 3}});
  epoch(set, computed);
  EXPECT_EQ(set.measured()->from_images, 0);  // they were kept for this phase
  EXPECT_GT(set.measured()->frozen_s, 0);
}

TEST_F(FrozenActivationsTest, KnowsWhatAnEarlierRunHasLeftAndMakesNoRoomForAnEstimate) {
  test::TemporaryFolder folder;
  const std::size_t features = backbone_.last_boundary();
  FrozenActivations run = activations({.memory = 1U << 30U, .stores = folder / "stores"});
  FrozenActivations estimate = activations({.memory = 1U << 30U, .stores = folder / "stores", .looks_only = true});
  estimate.prepare(backbone_, {{features, 2}});
  EXPECT_TRUE(estimate.kept().on_disk);
  EXPECT_EQ(estimate.stored(features), (std::vector<std::size_t>{0}));
  EXPECT_FALSE(std::filesystem::exists(folder / "stores"));
  run.prepare(backbone_, {{features, 2}});
  std::size_t computed = 0;
  epoch(run, computed);
  EXPECT_EQ(estimate.stored(features), (std::vector<std::size_t>{samples_.size()}));
}

TEST_F(FrozenActivationsTest, ARunThatGoesOnKeepsWhatItKeptWhateverRoomThereIsNow) {
  test::TemporaryFolder folder;
  const std::vector<RowUse> read_once{{backbone_.last_boundary(), 1}};
  FrozenActivations first = activations({.memory = 1U << 30U, .stores = folder / "stores"});
  first.prepare(backbone_, read_once);
  EXPECT_TRUE(first.kept().in_memory && first.kept().on_disk);
  FrozenActivations later = activations({.memory = 1U << 30U});
  later.prepare(backbone_, read_once);
  EXPECT_FALSE(later.keeps());
  later.prepare(backbone_, read_once, read_keep_plan(to_json(first.kept())));
  EXPECT_TRUE(later.kept().in_memory);
  EXPECT_FALSE(later.kept().on_disk);
  KeepPlan on_disk_alone = first.kept();
  on_disk_alone.in_memory = false;
  EXPECT_THROW(later.prepare(backbone_, read_once, on_disk_alone), Error);
}

TEST_F(FrozenActivationsTest, ImagesAreSharedWithALaterPhaseThatTrainsAllLayersInMemoryAlone) {
  test::TemporaryFolder folder;
  const std::size_t features = backbone_.last_boundary();
  FrozenActivations set = activations({.memory = 1U << 30U, .stores = folder / "stores"});
  set.prepare(backbone_, {{features, 2}, {0, 2}});
  EXPECT_EQ(set.kept().shared, 0U);
  EXPECT_TRUE(set.kept().on_disk);
  EXPECT_EQ(set.kept().disk_bytes, bytes_at(features));
  std::size_t computed = 0;
  epoch(set, computed);
  EXPECT_EQ(list_row_stores(folder / "stores").size(), 1U);
}

TEST_F(FrozenActivationsTest, StoresAreNoBusinessOfRunsThatUseNone) {
  test::TemporaryFolder folder;
  for (const char* keep : {"off", "memory"}) {
    FrozenActivations set = activations({.keep = keep, .memory = 1U << 30U, .stores = folder / "stores"});
    std::filesystem::create_directories(folder / "stores/broken");
    std::ofstream(folder / "stores/broken/about.json") << "no JSON";
    EXPECT_NO_THROW(set.prepare(backbone_, {{backbone_.last_boundary(), 2}})) << keep;
  }
}

}  // namespace
}  // namespace graft
