#include "graft/data/activations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <set>

#include "graft/core/parallel.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

ImageSource source(int workers, std::int64_t batch_size) {
  static const Dataset dataset = load_dataset(std::filesystem::path(GRAFT_SOURCE_DIR) / "tests/data/photos", {});
  InputSpec input;
  input.size = 32;
  const Json json = Json::parse(R"({"transforms": [{"random_resized_crop": {}}, {"horizontal_flip": {}}]})");
  std::vector<Problem> problems;
  auto augmentation = Augmentation::read(JsonReader(json, "", problems), input);
  EXPECT_TRUE(problems.empty());
  return {dataset.samples, input, augmentation, batch_size, workers};
}

at::Tensor view_of(const ImageSource& images, std::uint64_t view) {
  std::vector<at::Tensor> rows;
  stream_activations(
      images, batches_in_order(images.samples.size(), images.batch_size),
      [view](const Sample& sample) { return view_seed(sample, view); },
      [](const at::Tensor& batch) {
        return batch.mean({2, 3});
      },
      [&](std::size_t, at::Tensor batch) { rows.push_back(std::move(batch)); });
  return at::cat(rows);
}

TEST(StreamActivations, AnyNumberOfWorkersGivesTheSameImages) {
  EXPECT_TRUE(view_of(source(1, 7), 0).equal(view_of(source(4, 7), 0)));
  EXPECT_TRUE(view_of(source(1, 7), 0).allclose(view_of(source(2, 24), 0)));
  EXPECT_FALSE(view_of(source(1, 7), 0).equal(view_of(source(1, 7), 1)));
}

std::vector<Sample> samples_of(const std::vector<std::string>& contents) {
  std::vector<Sample> samples(contents.size());
  for (std::size_t i = 0; i < contents.size(); ++i) samples[i].hash = Sha256().update(contents[i]).digest();
  return samples;
}

TEST(ActivationCache, KnowsWhatWasPut) {
  const auto samples = samples_of({"a", "b", "c"});
  ActivationCache cache(samples, {{2}}, nullptr, true);
  EXPECT_FALSE(cache.holds(0));
  EXPECT_THAT(cache.missing(0), testing::ElementsAre(0, 1, 2));
  EXPECT_TRUE(cache.holds(0));
  cache.put(0, {2, 0}, torch::tensor({{1.0, 2.0}, {3.0, 4.0}}));
  EXPECT_THAT(cache.missing(0), testing::ElementsAre(1));
  EXPECT_TRUE(cache.rows(0, {0, 2}).equal(torch::tensor({{3.0, 4.0}, {1.0, 2.0}})));
  EXPECT_THAT(cache.missing(1), testing::ElementsAre(0, 1, 2)) << "another view is none of this one's business";
}

TEST(ActivationCache, TakesFromTheStoreByContentAndView) {
  const test::TemporaryFolder folder;
  const auto store = [&] { return std::make_shared<RowStore>(folder / "s", RowForm{{1}}, Json()); };
  const at::Tensor rows = torch::tensor({{1.0}, {2.0}});
  const auto two = samples_of({"a", "b"}), three = samples_of({"c", "b", "a"});
  ActivationCache first(two, {{1}}, store(), true);
  first.missing(5);
  first.put(5, {0, 1}, rows);
  for (const bool in_memory : {true, false}) {
    ActivationCache second(three, {{1}}, store(), in_memory);
    EXPECT_THAT(second.missing(5), testing::ElementsAre(0));
    EXPECT_TRUE(second.rows(5, {2, 1}).equal(rows));
    EXPECT_THAT(second.missing(4), testing::ElementsAre(0, 1, 2));
  }
}

TEST(ActivationCache, KeepsRoundedRowsInMemoryAsOnDisk) {
  const test::TemporaryFolder folder;
  const RowForm form{{2, 1}, at::kBFloat16};
  const auto samples = samples_of({"a", "b"});
  const at::Tensor rows = torch::tensor({1.001, -3.0, 65000.5, 1e-30}).view({2, 2, 1});
  const at::Tensor rounded = rows.to(at::kBFloat16).to(at::kFloat);
  EXPECT_FALSE(rounded.equal(rows));
  ActivationCache first(samples, form, std::make_shared<RowStore>(folder / "s", form, Json()), true);
  first.missing(0);
  first.put(0, {0, 1}, rows);
  EXPECT_TRUE(first.rows(0, {0, 1}).to(at::kFloat).equal(rounded));
  for (const bool in_memory : {true, false}) {
    ActivationCache second(samples, form, std::make_shared<RowStore>(folder / "s", form, Json()), in_memory);
    EXPECT_THAT(second.missing(0), testing::IsEmpty());
    EXPECT_TRUE(second.rows(0, {0, 1}).to(at::kFloat).equal(rounded));
  }
}

TEST(StreamActivations, RunsTheBatchesInOrder) {
  const auto images = source(2, 10);
  std::vector<std::int64_t> sizes;
  stream_activations(
      images, batches_in_order(24, 10), [](const Sample&) { return 0; }, [](const at::Tensor& batch) { return batch; },
      [&](std::size_t i, const at::Tensor& batch) {
        EXPECT_EQ(i, sizes.size());
        sizes.push_back(batch.size(0));
      });
  EXPECT_EQ(sizes, (std::vector<std::int64_t>{10, 10, 4}));
}

TEST(OrderedParallel, KeepsOrderBoundsWhatWaitsAndPassesOnFailures) {
  std::atomic<int> under_way = 0, most = 0;
  std::size_t expected = 0;
  OrderedParallel<std::size_t>::run(
      100, 3,
      [&](std::size_t i) {
        most = std::max(most.load(), ++under_way);
        return i;
      },
      [&](std::size_t i, std::size_t result) {
        --under_way;
        EXPECT_EQ(i, expected++);
        EXPECT_EQ(result, i);
      });
  EXPECT_EQ(expected, 100U);
  EXPECT_LE(most, 7);  // twice the workers wait, one is consumed
  const auto fail_at_5 = [](std::size_t i) { return i == 5 ? throw std::runtime_error("five") : i; };
  EXPECT_THROW(OrderedParallel<std::size_t>::run(100, 3, fail_at_5, [](std::size_t, std::size_t) {}),
               std::runtime_error);
}

TEST(OrderedParallel, StopsWhenAsked) {
  std::stop_source stop;
  const auto done = OrderedParallel<int>::run(
      100, 2, [](std::size_t) { return 0; },
      [&](std::size_t i, int) {
        if (i == 3) stop.request_stop();
      },
      stop.get_token());
  EXPECT_EQ(done, 4U);
}

}  // namespace
}  // namespace graft
