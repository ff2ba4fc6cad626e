#include "graft/core/random.h"

#include <gtest/gtest.h>

#include <set>

namespace graft {
namespace {

TEST(DeriveSeed, EveryPartCounts) {
  const std::set<std::uint64_t> seeds{derive_seed(0, "order"),          derive_seed(1, "order"),
                                      derive_seed(0, "dropout"),        derive_seed(0, "order", 1),
                                      derive_seed(0, "order", 0, 1),    derive_seed(0, "order", 1, 1),
                                      derive_seed(0, "order", 1, 0x100)};
  EXPECT_EQ(seeds.size(), 7U);
  EXPECT_EQ(derive_seed(7, "order", 2, 3), derive_seed(7, "order", 2, 3));
}

TEST(RandomStream, IsUniformEnough) {
  RandomStream stream(1);
  std::vector<int> counts(10);
  double sum = 0;
  for (int i = 0; i < 100000; ++i) {
    ++counts[stream.below(10)];
    sum += stream.uniform();
  }
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);
}

TEST(RandomStream, ShuffleIsAPermutation) {
  std::vector<int> items{0, 1, 2, 3, 4, 5, 6, 7};
  RandomStream(3).shuffle(items);
  EXPECT_EQ(std::set<int>(items.begin(), items.end()).size(), 8U);
}

}  // namespace
}  // namespace graft
