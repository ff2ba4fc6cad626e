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

TEST(ReadNamed, TakesANameAloneOrWithOptions) {
  std::vector<Problem> problems;
  const std::vector<std::string> allowed{"sgd", "adamw"};
  const auto read = [&](const Json& value) {
    std::string text;
    read_named(value, "optimizer", allowed, problems, [&](const std::string& name, JsonReader& options) {
      text = name + " " + std::to_string(options.integer("lr", 7));
    });
    return text;
  };
  EXPECT_EQ(read("sgd"), "sgd 7");
  EXPECT_EQ(read(Json::parse(R"({"adamw": {"lr": 1}})")), "adamw 1");
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(read("adam"), "");
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0].hint, HasSubstr("adamw"));
  EXPECT_EQ(read(Json::parse(R"({"sgd": {"lr": 1, "beta": 2}})")), "sgd 1");
  EXPECT_EQ(problems.back().subject, "optimizer.sgd.beta");
}

TEST(JsonForm, TakesWhatItsSchemaDescribes) {
  const JsonForm form = JsonForm::list(JsonForm::number({.low = 0, .high = 1, .high_open = true}), 2);
  EXPECT_EQ(form.schema(), Json::parse(R"({"type": "array", "items": {"type": "number", "minimum": 0,
                                          "exclusiveMaximum": 1}, "minItems": 2, "maxItems": 2})"));
  EXPECT_EQ(form.text(), "a list of 2 numbers, each from 0 to 1 (excluded)");
  EXPECT_TRUE(form.accepts(Json::parse("[0, 0.5]")));
  for (const char* wrong : {"[0, 1]", "[-0.1, 0]", "[0]", "[0, 0, 0]", "[0, true]", "0", "[0, \"0\"]"})
    EXPECT_FALSE(form.accepts(Json::parse(wrong))) << wrong;
}

TEST(JsonForm, AWholeNumberFitsInto64Bits) {
  const JsonForm form = JsonForm::integer({});
  for (const char* right : {"9223372036854775807", "-9223372036854775808"})
    EXPECT_TRUE(form.accepts(Json::parse(right))) << right;
  for (const char* wrong : {"9223372036854775808", "18446744073709551615", "1.5"})
    EXPECT_FALSE(form.accepts(Json::parse(wrong))) << wrong;
}

/// Reads an object of every kind.
void read_all_kinds(const Json& value, std::vector<Problem>& problems) {
  static const std::vector<std::string> kNames{"plain", "nested"};
  static const char kOwner = 0;
  JsonReader reader(value, "", problems);
  reader.integer("count", 1, Range::between(1, 9));
  JsonReader part = reader.object("part");
  if (!part.has("file")) part.problem("file", "is missing", "a file");
  part.string("file", "");
  part.finish();
  const std::function<void(const Json&, const std::string&)> read = [&](const Json& given, const std::string& path) {
    read_named(
        given, path, kNames, problems,
        [&](const std::string& name, JsonReader& options) {
          if (name == "plain") return;
          if (!options.has("size")) options.problem("size", "is missing", "a size");
          options.number("size", 0, Range::above(0));
          if (const Json* inner = options.member("inner")) read(*inner, options.path_of("inner"));
        },
        &kOwner);
  };
  if (const Json* list = reader.member("rules")) read_items(*list, "rules", 1, "a list of rules", problems, read);
  reader.finish();
}

TEST(JsonSchema, IsWhatAReaderAsksFor) {
  JsonSchema schema;
  std::vector<Problem> ignored;
  read_all_kinds(schema.question(), ignored);
  const Json expected = Json::parse(R"({
    "type": "object",
    "properties": {
      "count": {"type": "integer", "minimum": 1, "maximum": 9, "default": 1},
      "part": {"type": "object", "properties": {"file": {"type": "string", "default": ""}}, "additionalProperties": false},
      "rules": {"type": "array", "items": {"$ref": "#/$defs/rules"}, "minItems": 1}},
    "additionalProperties": false,
    "$defs": {"rules": {"anyOf": [
      {"enum": ["plain"]},
      {"type": "object",
       "properties": {
         "plain": {"type": "object", "properties": {}, "additionalProperties": false},
         "nested": {"type": "object",
                    "properties": {"size": {"type": "number", "exclusiveMinimum": 0}, "inner": {"$ref": "#/$defs/rules"}},
                    "required": ["size"], "additionalProperties": false}},
       "minProperties": 1, "maxProperties": 1, "additionalProperties": false}]}}
  })");
  EXPECT_EQ(schema.json(), expected) << schema.json().dump(2);
}

}  // namespace
}  // namespace graft
