#include "graft/core/json_form.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "graft/core/names.h"

namespace graft {
namespace {

std::string number_text(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

/// A limit as people write it: 1, not 1.0.
Json limit(double value) {
  constexpr double kExact = 9007199254740992.0;
  if (std::abs(value) <= kExact && value == std::floor(value)) return static_cast<std::int64_t>(value);
  return value;
}

Json with_range(Json schema, const Range& range) {
  if (std::isfinite(range.low)) schema[range.low_open ? "exclusiveMinimum" : "minimum"] = limit(range.low);
  if (std::isfinite(range.high)) schema[range.high_open ? "exclusiveMaximum" : "maximum"] = limit(range.high);
  return schema;
}

/// " from 0 to 1", or nothing.
std::string range_text(const Range& range) {
  return std::isfinite(range.low) || std::isfinite(range.high) ? " " + range.text() : "";
}

/// A whole number that std::int64_t holds.
bool is_integer(const Json& value) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  return value.is_number_integer() && !(value.is_number_unsigned() && value.get<std::uint64_t>() > kMost);
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return is_integer(value);
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  return value.is_array();
}

/// Whether a limit that the schema has, or has not, holds. NaN is within no limits.
template <typename Holds>
bool within(const Json& schema, const char* key, double value, Holds holds) {
  return !schema.contains(key) || holds(value, schema.at(key).get<double>());
}

bool fits(const Json& value, const Json& schema) {
  if (schema.contains("const")) return value == schema.at("const");
  if (schema.contains("enum")) {
    const Json& words = schema.at("enum");
    return contains(words, value);
  }
  if (!has_type(value, schema.at("type").get<std::string>())) return false;
  if (value.is_number()) {
    const auto number = value.get<double>();
    return !std::isnan(number) && within(schema, "minimum", number, std::greater_equal<>()) &&
           within(schema, "exclusiveMinimum", number, std::greater<>()) &&
           within(schema, "maximum", number, std::less_equal<>()) &&
           within(schema, "exclusiveMaximum", number, std::less<>());
  }
  if (!value.is_array()) return true;
  const auto size = static_cast<double>(value.size());
  return within(schema, "minItems", size, std::greater_equal<>()) &&
         within(schema, "maxItems", size, std::less_equal<>()) &&
         std::all_of(value.begin(), value.end(), [&](const Json& item) { return fits(item, schema.at("items")); });
}

/// "numbers, each from 0 to 1" of "a number from 0 to 1".
std::string plural(const std::string& text) {
  const std::string bare = text.substr(2);
  const auto noun_end = bare.find_first_of(' ', bare.starts_with("whole ") ? 6 : 0);
  return noun_end == std::string::npos ? bare + "s" : bare.substr(0, noun_end) + "s, each " + bare.substr(noun_end + 1);
}

}  // namespace

bool Range::contains(double value) const {
  return !std::isnan(value) && (low_open ? value > low : value >= low) && (high_open ? value < high : value <= high);
}

std::string Range::text() const {
  if (std::isinf(high)) return std::string(low_open ? "above " : "at least ") + number_text(low);
  if (std::isinf(low)) return std::string(high_open ? "below " : "at most ") + number_text(high);
  return std::string("from ") + number_text(low) + (low_open ? " (excluded)" : "") + " to " + number_text(high) +
         (high_open ? " (excluded)" : "");
}

JsonForm JsonForm::boolean() { return {{{"type", "boolean"}}, "true or false"}; }

JsonForm JsonForm::integer(const Range& range) {
  return {with_range({{"type", "integer"}}, range), "a whole number" + range_text(range)};
}

JsonForm JsonForm::number(const Range& range) {
  return {with_range({{"type", "number"}}, range), "a number" + range_text(range)};
}

JsonForm JsonForm::string() { return {{{"type", "string"}}, "a string"}; }

JsonForm JsonForm::word(const std::string& word) { return {{{"const", word}}, Json(word).dump()}; }

JsonForm JsonForm::choice(std::span<const std::string> words) {
  return {{{"enum", std::vector<std::string>(words.begin(), words.end())}}, "one of " + join(words)};
}

JsonForm JsonForm::list(const JsonForm& item, std::size_t count) {
  return {{{"type", "array"}, {"items", item.schema_}, {"minItems", count}, {"maxItems", count}},
          "a list of " + std::to_string(count) + " " + plural(item.text_)};
}

JsonForm JsonForm::list_from(std::size_t least, const JsonForm& item) {
  return {{{"type", "array"}, {"items", item.schema_}, {"minItems", least}},
          "a list of " + (item.words().empty() ? plural(item.text_) : "some of " + join(item.words())) +
              (least == 0 ? "" : ", at least " + std::to_string(least))};
}

bool JsonForm::accepts(const Json& value) const { return fits(value, schema_); }

std::vector<std::string> JsonForm::words() const {
  if (schema_.contains("const")) return {schema_.at("const").get<std::string>()};
  return schema_.value("enum", std::vector<std::string>{});
}

}  // namespace graft
