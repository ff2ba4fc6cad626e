#include "graft/core/pickle_scan.h"

#include <gmock/gmock.h>

#include "graft/core/pickle_values.h"

namespace graft {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

/// One storage '0' of 32 bytes.
std::string found_in_pickle(const std::string& pickle) {
  const auto refusal = scan_pickle(
      pickle, [](const std::string& key) { return key == "0" ? std::optional<std::uint64_t>(32) : std::nullopt; });
  return refusal ? refusal->found : "";
}

std::string storage(const std::string& key, char elements) {
  return "(X\x07\0\0\0storage"s + "ctorch\nFloatStorage\nX\x01\0\0\0"s + key + "X\x03\0\0\0cpuK"s + elements + "tQ";
}

std::string tensor(char elements, char offset, char size, char stride) {
  return "\x80\x02"s + "ctorch._utils\n_rebuild_tensor_v2\n("s + storage("0", elements) + "K" + offset + "(K" + size +
         "t(K" + stride + "t\x89" + "ccollections\nOrderedDict\n)RtR.";
}

TEST(ScanPickle, TakesATensorThatFillsItsStorage) {
  EXPECT_EQ(found_in_pickle(tensor(8, 0, 8, 1)), "");
  EXPECT_EQ(found_in_pickle(tensor(8, 7, 1, 1)), "");
  EXPECT_EQ(found_in_pickle(tensor(8, 1, 4, 2)), "");
  EXPECT_EQ(found_in_pickle(tensor(8, 0, 100, 0)), "");
}

TEST(ScanPickle, RefusesATensorOneElementBeyond) {
  EXPECT_THAT(found_in_pickle(tensor(8, 0, 9, 1)), HasSubstr("beyond its storage"));
  EXPECT_THAT(found_in_pickle(tensor(8, 8, 1, 1)), HasSubstr("beyond its storage"));
  EXPECT_THAT(found_in_pickle(tensor(8, 2, 4, 2)), HasSubstr("beyond its storage"));
  EXPECT_THAT(found_in_pickle(tensor(9, 0, 1, 1)), HasSubstr("more than its record"));
}

TEST(ScanPickle, RefusesWhatIsNotTheProgramsOwn) {
  EXPECT_THAT(found_in_pickle("\x80\x02"s + "cos\nsystem\n."), HasSubstr("os system"));
  EXPECT_THAT(found_in_pickle("\x80\x02"s + "ctorch._utils\n_rebuild_qtensor\n."), HasSubstr("quantised"));
  EXPECT_THAT(found_in_pickle("\x80\x02"s + storage("1", 8) + "."), HasSubstr("not there"));
  EXPECT_THAT(found_in_pickle("\x80\x04."s), HasSubstr("protocol"));
  EXPECT_THAT(found_in_pickle("\x80\x02Nr\x01\0\0\0."s), HasSubstr("remember"));
}

TEST(ScanPickle, NestsAHundredDeepAndNoMore) {
  const auto nested = [](std::size_t depth) {
    return "\x80\x02"s + std::string(depth, ']') + std::string(depth - 1, 'a') + ".";
  };
  EXPECT_EQ(found_in_pickle(nested(100)), "");
  EXPECT_THAT(found_in_pickle(nested(101)), HasSubstr("nested"));
  EXPECT_THAT(found_in_pickle(nested(100'000)), HasSubstr("nested"));
}

TEST(ScanPickle, RefusesEveryPickleThatEndsEarly) {
  const std::string whole = tensor(8, 0, 8, 1);
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(found_in_pickle(whole.substr(0, length)), "") << length;
}

TEST(MeasurePickle, CountsWhatIsHeldTwiceTwice) {
  using Kind = PickleValue::Kind;
  std::vector<PickleValue> values{{Kind::kList}};
  for (std::size_t i = 0; i < 20; ++i) values.push_back({Kind::kList, 0, "", {i, i}});
  const auto extent = measure_pickle(values, 20);
  EXPECT_EQ(extent.depth, 21);
  EXPECT_EQ(extent.walk, (1 << 21) - 1);
  values[0].children = {20};
  EXPECT_TRUE(measure_pickle(values, 20).circular);
}

}  // namespace
}  // namespace graft
