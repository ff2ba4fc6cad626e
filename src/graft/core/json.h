#pragma once
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/error.h"
#include "graft/core/json_form.h"
#include "graft/core/json_schema.h"

namespace graft {

/// Parses strict JSON (no comments, no duplicate keys). `subject` names the text in errors.
/// @throws Error with line and column of the first mistake.
Json parse_json(std::string_view text, const std::string& subject);
Json read_json_file(const std::filesystem::path& path);

/// Reads one JSON object key by key. A wrong type, a value out of range and a key that nobody read become problems
/// with their JSON path; the value read is then the default, so that reading goes on and finds the rest. Given a
/// JsonSchema's question instead of an object, it writes down what is asked of it and answers with the defaults; a key
/// whose absence becomes a problem is required.
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
  std::vector<std::string> strings(const std::string& key, std::vector<std::string> fallback, std::size_t least = 0);
  /// A list of some of the words `allowed`; none by default.
  std::vector<std::string> choices(const std::string& key, std::span<const std::string> allowed);
  /// A list of exactly `fallback.size()` numbers.
  std::vector<double> numbers(const std::string& key, std::vector<double> fallback, Range range = {});
  /// A value of one of several forms.
  Json one_of(const std::string& key, const Json& fallback, std::span<const JsonForm> forms);
  /// The member `key` whatever its type, for code that reads it by itself, or nullptr; marks it read.
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
  std::vector<std::string> list(const std::string& key, const std::vector<std::string>& fallback, std::size_t least,
                                const JsonForm& item);
  /// The member, where it has one of the forms; else a problem. Null too where there is none.
  const Json* formed(const std::string& key, const Json& fallback, std::span<const JsonForm> forms);

  const Json* value_;
  JsonSchema* schema_;  ///< that is asked for; null where a value is read
  std::string path_;
  std::vector<Problem>* problems_;
  std::vector<std::string> known_;
};

/// Reads a name with options, {"adamw": {"lr": 0.003}} or just "adamw": hands the options to `read`. False after a
/// problem, and where `value` asks for its schema: `read` is then told every name in turn.
/// @param owner  of the names, where they are read in several places: their schema stands once, called after the path
bool read_named(const Json& value, const std::string& path, std::span<const std::string> allowed,
                std::vector<Problem>& problems,
                const std::function<void(const std::string& name, JsonReader& options)>& read,
                const void* owner = nullptr);

/// Reads an object that is told by which of the keys it has, {"linear": 256, "bias": false}: hands all of it to `read`.
/// False where it has none, which is no problem yet, and where `value` asks for its schema.
bool read_keyed(const Json& value, const std::string& path, std::span<const std::string> keys,
                std::vector<Problem>& problems,
                const std::function<void(const std::string& key, JsonReader& object)>& read);

/// Reads a list item by item, each with its JSON path. @param expected  of the whole list, for the problem that it is
/// no list or has fewer than `least` items
void read_items(const Json& value, const std::string& path, std::size_t least, const std::string& expected,
                std::vector<Problem>& problems,
                const std::function<void(const Json& item, const std::string& path)>& read);

}  // namespace graft
