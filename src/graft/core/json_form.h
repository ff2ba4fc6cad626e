#pragma once
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace graft {

/// JSON whose keys keep the order in which they were written.
using Json = nlohmann::ordered_json;

/// A closed or half-open interval of numbers.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false;
  bool high_open = false;

  static Range at_least(double low) { return {.low = low}; }
  static Range above(double low) { return {.low = low, .low_open = true}; }
  static Range between(double low, double high) { return {.low = low, .high = high}; }

  bool contains(double value) const;
  std::string text() const;
};

/// One form that a value may have: what accepts() takes is what schema() describes.
class JsonForm {
 public:
  static JsonForm boolean();
  static JsonForm integer(const Range& range = {});
  static JsonForm number(const Range& range = {});
  static JsonForm string();
  static JsonForm word(const std::string& word);
  static JsonForm choice(std::span<const std::string> words);
  /// A list of `count` times the same form.
  static JsonForm list(const JsonForm& item, std::size_t count);
  /// A list of at least so many.
  static JsonForm list_from(std::size_t least, const JsonForm& item);

  bool accepts(const Json& value) const;
  /// "a whole number from 1 to 3", for messages.
  const std::string& text() const { return text_; }
  /// Of JSON Schema, draft 2020-12.
  const Json& schema() const { return schema_; }
  /// The words that it takes; empty where it takes others than words.
  std::vector<std::string> words() const;

 private:
  JsonForm(Json schema, std::string text) : schema_(std::move(schema)), text_(std::move(text)) {}

  Json schema_;
  std::string text_;
};

}  // namespace graft
