#include "graft/core/json.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include "graft/core/files.h"
#include "graft/core/names.h"

namespace graft {
namespace {

std::string shown(const Json& value) {
  std::string text = value.dump();
  return text.size() > 60 ? text.substr(0, 57) + "..." : text;
}

std::string number_text(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

/// Throws on the second occurrence of a key within one object, which nlohmann_json would silently let win.
class DuplicateKeys {
 public:
  explicit DuplicateKeys(const std::string& subject) : subject_(subject) {}

  bool operator()(int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) open_.emplace_back();
    if (event == Json::parse_event_t::object_end) open_.pop_back();
    if (event == Json::parse_event_t::key && !open_.back().insert(parsed.get<std::string>()).second)
      throw Error({subject_, "the key \"" + parsed.get<std::string>() + "\" stands twice in one object",
                   "each key once", "delete one of the two"});
    return true;
  }

 private:
  std::string subject_;
  std::vector<std::set<std::string>> open_;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& subject) {
  try {
    return Json::parse(text, DuplicateKeys(subject));
  } catch (const Json::parse_error& error) {
    const std::string_view before = text.substr(0, std::min<std::size_t>(text.size(), error.byte ? error.byte - 1 : 0));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto column = before.size() - (before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1) + 1;
    throw Error({subject, "not JSON at line " + std::to_string(line) + ", column " + std::to_string(column),
                 "strict JSON (no comments, no trailing commas)", ""});
  } catch (const Json::out_of_range& error) {
    throw Error(
        {subject, std::string("holds a number that no double can hold (") + error.what() + ")", "finite numbers", ""});
  }
}

Json read_json_file(const std::filesystem::path& path) {
  return parse_json(read_file(path), "'" + path.string() + "'");
}

bool Range::contains(double value) const {
  return !std::isnan(value) && (low_open ? value > low : value >= low) && (high_open ? value < high : value <= high);
}

std::string Range::text() const {
  if (std::isinf(high)) return std::string(low_open ? "above " : "at least ") + number_text(low);
  if (std::isinf(low)) return std::string(high_open ? "below " : "at most ") + number_text(high);
  return std::string("from ") + number_text(low) + (low_open ? " (excluded)" : "") + " to " + number_text(high) +
         (high_open ? " (excluded)" : "");
}

JsonReader::JsonReader(const Json& value, std::string path, std::vector<Problem>& problems)
    : value_(&value), path_(std::move(path)), problems_(&problems) {
  if (!value.is_object()) problems.push_back({path_.empty() ? "$" : path_, "is " + shown(value), "an object", ""});
}

bool JsonReader::has(std::string_view key) const { return value_->is_object() && value_->contains(key); }

std::string JsonReader::path_of(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

void JsonReader::problem(const std::string& key, std::string found, std::string expected, std::string hint) {
  problems_->push_back({path_of(key), std::move(found), std::move(expected), std::move(hint)});
}

const Json* JsonReader::member(const std::string& key) {
  known_.push_back(key);
  return has(key) ? &value_->at(key) : nullptr;
}

const Json* JsonReader::typed(const std::string& key, bool (Json::*is_type)() const noexcept, const char* expected) {
  const Json* found = member(key);
  if (found == nullptr || (found->*is_type)()) return found;
  problem(key, "is " + shown(*found), expected);
  return nullptr;
}

bool JsonReader::boolean(const std::string& key, bool fallback) {
  const Json* found = typed(key, &Json::is_boolean, "true or false");
  return found == nullptr ? fallback : found->get<bool>();
}

std::int64_t JsonReader::integer(const std::string& key, std::int64_t fallback, Range range) {
  const Json* found = typed(key, &Json::is_number_integer, "a whole number");
  if (found == nullptr) return fallback;
  if (range.contains(found->get<double>())) return found->get<std::int64_t>();
  problem(key, "is " + shown(*found), "a whole number " + range.text());
  return fallback;
}

double JsonReader::number(const std::string& key, double fallback, Range range) {
  const Json* found = typed(key, &Json::is_number, "a number");
  if (found == nullptr) return fallback;
  if (range.contains(found->get<double>())) return found->get<double>();
  problem(key, "is " + shown(*found), "a number " + range.text());
  return fallback;
}

std::string JsonReader::string(const std::string& key, std::string fallback) {
  const Json* found = typed(key, &Json::is_string, "a string");
  return found == nullptr ? std::move(fallback) : found->get<std::string>();
}

std::string JsonReader::choice(const std::string& key, const std::string& fallback,
                               std::span<const std::string> allowed) {
  const Json* found = typed(key, &Json::is_string, "a string");
  if (found == nullptr) return fallback;
  auto name = found->get<std::string>();
  if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) return name;
  problem(key, "is " + shown(*found), "one of " + join(allowed), did_you_mean(name, allowed));
  return fallback;
}

std::vector<std::string> JsonReader::strings(const std::string& key, std::vector<std::string> fallback) {
  const Json* found = typed(key, &Json::is_array, "a list of strings");
  if (found == nullptr) return fallback;
  std::vector<std::string> list;
  for (std::size_t i = 0; i < found->size(); ++i) {
    if ((*found)[i].is_string())
      list.push_back((*found)[i].get<std::string>());
    else
      problem(key + "[" + std::to_string(i) + "]", "is " + shown((*found)[i]), "a string");
  }
  return list;
}

std::vector<double> JsonReader::numbers(const std::string& key, std::vector<double> fallback, Range range) {
  const std::string expected = "a list of " + std::to_string(fallback.size()) + " numbers";
  const Json* found = typed(key, &Json::is_array, expected.c_str());
  if (found == nullptr) return fallback;
  const bool fits =
      found->size() == fallback.size() && std::all_of(found->begin(), found->end(), [&](const Json& item) {
        return item.is_number() && range.contains(item.get<double>());
      });
  if (fits) return found->get<std::vector<double>>();
  const bool bounded = std::isfinite(range.low) || std::isfinite(range.high);
  problem(key, "is " + shown(*found), expected + (bounded ? ", each " + range.text() : ""));
  return fallback;
}

JsonReader JsonReader::object(const std::string& key) {
  static const Json kEmpty = Json::object();
  const Json* found = typed(key, &Json::is_object, "an object");
  return JsonReader(found == nullptr ? kEmpty : *found, path_of(key), *problems_);
}

void JsonReader::finish() {
  if (!value_->is_object()) return;
  for (const auto& [key, ignored] : value_->items())
    if (std::find(known_.begin(), known_.end(), key) == known_.end())
      problem(key, "unknown key", known_.empty() ? "no options here" : "one of " + join(known_),
              did_you_mean(key, known_));
}

NamedOptions read_named_options(const Json& value, const std::string& path, std::span<const std::string> allowed,
                                std::vector<Problem>& problems) {
  const bool is_name = value.is_string();
  if (!is_name && !(value.is_object() && value.size() == 1)) {
    problems.push_back(
        {path, "is " + shown(value), "one name with its options, such as {\"" + allowed[0] + "\": {}}", ""});
    return {};
  }
  NamedOptions named{is_name ? value.get<std::string>() : value.begin().key(),
                     is_name ? Json::object() : value.begin().value(), ""};
  named.path = path + "." + named.name;
  if (std::find(allowed.begin(), allowed.end(), named.name) != allowed.end()) return named;
  problems.push_back(
      {path, "unknown name \"" + named.name + "\"", "one of " + join(allowed), did_you_mean(named.name, allowed)});
  return {};
}

}  // namespace graft
