#include "graft/core/json.h"

#include <gmock/gmock.h>

namespace graft {
namespace {

using testing::HasSubstr;

TEST(ParseJson, NamesLineAndColumnOfAMistake) {
  try {
    parse_json("{\n  \"a\": 1,\n  oops\n}", "recipe");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("line 3"));
  }
}

TEST(ParseJson, RejectsAKeyThatStandsTwice) {
  EXPECT_THROW(parse_json(R"({"a": 1, "a": 2})", "recipe"), Error);
  EXPECT_NO_THROW(parse_json(R"({"a": {"b": 1}, "c": {"b": 2}})", "recipe"));
}

TEST(ParseJson, RejectsNumbersThatNoDoubleCanHold) { EXPECT_THROW(parse_json(R"({"lr": 1e999})", "recipe"), Error); }

TEST(JsonReader, ReportsEveryMistakeWithItsPath) {
  const Json value = Json::parse(R"({"lr": "fast", "momentum": 1.5, "nesterof": true})");
  std::vector<Problem> problems;
  JsonReader reader(value, "phases[0].optimizer.sgd", problems);
  EXPECT_EQ(reader.number("lr", 0.1), 0.1);
  EXPECT_EQ(reader.number("momentum", 0.9, Range::between(0, 1)), 0.9);
  EXPECT_FALSE(reader.boolean("nesterov", false));
  reader.finish();
  ASSERT_EQ(problems.size(), 3U);
  EXPECT_EQ(problems[0].subject, "phases[0].optimizer.sgd.lr");
  EXPECT_THAT(problems[1].expected, HasSubstr("from 0 to 1"));
  EXPECT_THAT(problems[2].hint, HasSubstr("nesterov"));
}

TEST(JsonReader, RangeEndsAreExact) {
  const auto range = Range::above(0);
  EXPECT_FALSE(range.contains(0));
  EXPECT_TRUE(range.contains(1e-300));
  EXPECT_FALSE(range.contains(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_TRUE(Range::between(0, 1).contains(1));
}

TEST(ReadNamedOptions, TakesANameAloneOrWithOptions) {
  std::vector<Problem> problems;
  const std::vector<std::string> allowed{"sgd", "adamw"};
  EXPECT_EQ(read_named_options("sgd", "optimizer", allowed, problems).name, "sgd");
  EXPECT_EQ(read_named_options(Json::parse(R"({"adamw": {"lr": 1}})"), "optimizer", allowed, problems).options["lr"],
            1);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(read_named_options("adam", "optimizer", allowed, problems).name, "");
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0].hint, HasSubstr("adamw"));
}

}  // namespace
}  // namespace graft
