#pragma once
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/error.h"

namespace graft {

/// JSON whose keys keep the order in which they were written.
using Json = nlohmann::ordered_json;

/// Parses strict JSON (no comments, no duplicate keys). `subject` names the text in errors.
/// @throws Error with line and column of the first mistake.
Json parse_json(std::string_view text, const std::string& subject);
Json read_json_file(const std::filesystem::path& path);

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

/// Reads one JSON object key by key. A wrong type, a value out of range and a key that nobody read become problems
/// with their JSON path; the value read is then the default, so that reading goes on and finds the rest.
class JsonReader {
 public:
  /// `path` is the object's own JSON path ("" for the root). `value` and `problems` must outlive the reader.
  JsonReader(const Json& value, std::string path, std::vector<Problem>& problems);

  bool has(std::string_view key) const;
  bool boolean(const std::string& key, bool fallback);
  std::int64_t integer(const std::string& key, std::int64_t fallback, Range range = {});
  double number(const std::string& key, double fallback, Range range = {});
  std::string string(const std::string& key, std::string fallback);
  std::string choice(const std::string& key, const std::string& fallback, std::span<const std::string> allowed);
  std::vector<std::string> strings(const std::string& key, std::vector<std::string> fallback);
  /// A list of exactly `fallback.size()` numbers.
  std::vector<double> numbers(const std::string& key, std::vector<double> fallback, Range range = {});
  /// The member `key` whatever its type, or nullptr; marks it read.
  const Json* member(const std::string& key);
  /// The member `key`, which must be an object, or an empty object when it is absent or something else.
  JsonReader object(const std::string& key);

  /// Reports every key that was not read. Call last.
  void finish();

  void problem(const std::string& key, std::string found, std::string expected, std::string hint = "");
  std::string path_of(const std::string& key) const;
  const std::string& path() const { return path_; }
  std::vector<Problem>& problems() { return *problems_; }

 private:
  const Json* typed(const std::string& key, bool (Json::*is_type)() const noexcept, const char* expected);

  const Json* value_;
  std::string path_;
  std::vector<Problem>* problems_;
  std::vector<std::string> known_;
};

/// The JSON form of "a name with options": {"adamw": {"lr": 0.003}} or just "adamw". On a mistake reports a problem and
/// returns an empty name.
struct NamedOptions {
  std::string name;
  Json options;
  std::string path;  ///< JSON path of the options
};
NamedOptions read_named_options(const Json& value, const std::string& path, std::span<const std::string> allowed,
                                std::vector<Problem>& problems);

}  // namespace graft
