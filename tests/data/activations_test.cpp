#include "graft/data/activations.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <set>

#include "graft/core/parallel.h"

namespace graft {
namespace {

ImageSource source(int workers, std::int64_t batch_size) {
  const auto dataset = load_dataset(std::filesystem::path(GRAFT_SOURCE_DIR) / "tests/data/photos", {});
  InputSpec input;
  input.size = 32;
  const Json json = Json::parse(R"({"transforms": [{"random_resized_crop": {}}, {"horizontal_flip": {}}]})");
  std::vector<Problem> problems;
  auto augmentation = Augmentation::read(JsonReader(json, "", problems), input);
  EXPECT_TRUE(problems.empty());
  return {dataset.samples, input, augmentation, batch_size, workers};
}

at::Tensor view_of(const ImageSource& images, std::uint64_t view) {
  ActivationCache cache;
  cache.fill(
      view, images,
      [](const at::Tensor& rows) {
        return rows.mean({2, 3});
      },
      [](std::size_t) {});
  return cache.view(view);
}

TEST(ActivationCache, AnyNumberOfWorkersGivesTheSameImages) {
  EXPECT_TRUE(view_of(source(1, 7), 0).equal(view_of(source(4, 7), 0)));
  EXPECT_TRUE(view_of(source(1, 7), 0).allclose(view_of(source(2, 24), 0)));
  EXPECT_FALSE(view_of(source(1, 7), 0).equal(view_of(source(1, 7), 1)));
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
