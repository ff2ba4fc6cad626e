#include "graft/core/parallel.h"

#include <gtest/gtest.h>

namespace graft {
namespace {

/// Their sizes.
std::vector<std::size_t> sizes(const Shares& shares) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < shares.count(); ++i) found.push_back(shares.end(i) - shares.begin(i));
  return found;
}

TEST(Shares, AreOneAWorkerUntilTheyAreTooLarge) {
  using Sizes = std::vector<std::size_t>;
  EXPECT_EQ(sizes(Shares(0, 2, 8)), Sizes{});
  EXPECT_EQ(sizes(Shares(1, 2, 8)), Sizes{1});
  EXPECT_EQ(sizes(Shares(2, 3, 8)), (Sizes{1, 1}));
  EXPECT_EQ(sizes(Shares(5, 2, 8)), (Sizes{3, 2}));
  EXPECT_EQ(sizes(Shares(16, 2, 8)), (Sizes{8, 8}));
  EXPECT_EQ(sizes(Shares(17, 2, 8)), (Sizes{8, 8, 1}));
}

}  // namespace
}  // namespace graft
