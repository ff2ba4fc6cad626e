#include "graft/core/names.h"

#include <gtest/gtest.h>

namespace graft {
namespace {

TEST(GlobMatch, StarCrossesDots) {
  EXPECT_TRUE(glob_match("layer4.*", "layer4.1.conv2.weight"));
  EXPECT_TRUE(glob_match("*.bias", "a.b.bias"));
  EXPECT_FALSE(glob_match("*.bias", "a.b.biases"));
  EXPECT_TRUE(glob_match("a*b*c", "aXbYbZc"));
  EXPECT_FALSE(glob_match("a?c", "ac"));
  EXPECT_TRUE(glob_match("*", ""));
}

TEST(CsvCell, QuotesWhatNeedsIt) {
  EXPECT_EQ(csv_cell("plain name.jpg"), "plain name.jpg");
  EXPECT_EQ(csv_cell("a, \"b\""), "\"a, \"\"b\"\"\"");
}

TEST(NearestNames, RanksByEditDistanceAndLeavesOutTheFar) {
  const std::vector<std::string> names{"momentum", "nesterov", "lr"};
  EXPECT_EQ(nearest_names("nesterof", names), std::vector<std::string>{"nesterov"});
  EXPECT_EQ(nearest_names("completely_else", names), std::vector<std::string>{});
  EXPECT_EQ(did_you_mean("momentun", names), "did you mean 'momentum'?");
}

}  // namespace
}  // namespace graft
