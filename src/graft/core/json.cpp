#include "graft/core/json.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include "graft/core/files.h"
#include "graft/core/names.h"

namespace graft {
namespace {

std::string shown_value(const Json& value) {
  std::string text = value.dump();
  return text.size() > 60 ? text.substr(0, 57) + "..." : text;
}

/// The last key of a JSON path: "init" of "head[0].init".
std::string last_key(const std::string& path) {
  const std::string key = path.substr(path.rfind('.') == std::string::npos ? 0 : path.rfind('.') + 1);
  return key.substr(0, key.find('['));
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

JsonReader::JsonReader(const Json& value, std::string path, std::vector<Problem>& problems)
    : value_(&value), schema_(JsonSchema::asked_by(value)), path_(std::move(path)), problems_(&problems) {
  if (schema_ != nullptr)
    schema_->accept_object();
  else if (!value.is_object())
    problems.push_back({path_.empty() ? "$" : path_, "is " + shown_value(value), "an object", ""});
}

bool JsonReader::has(std::string_view key) const { return value_->is_object() && value_->contains(key); }

std::string JsonReader::path_of(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

void JsonReader::problem(const std::string& key, std::string found, std::string expected, std::string hint) {
  // Nothing is there yet: what is found wrong is that nothing is there.
  if (schema_ != nullptr && !schema_->has_asked_for(key)) schema_->require(key);
  problems_->push_back({path_of(key), std::move(found), std::move(expected), std::move(hint)});
}

const Json* JsonReader::member(const std::string& key) {
  known_.push_back(key);
  if (schema_ != nullptr) return &schema_->property(key).question();
  return has(key) ? &value_->at(key) : nullptr;
}

const Json* JsonReader::formed(const std::string& key, const Json& fallback, std::span<const JsonForm> forms) {
  known_.push_back(key);
  if (schema_ != nullptr) {
    schema_->property(key).accept(forms);
    schema_->property(key).set_default(fallback);
    return nullptr;
  }
  if (!has(key)) return nullptr;
  const Json& found = value_->at(key);
  std::vector<std::string> texts, words;
  for (const auto& form : forms) {
    if (form.accepts(found)) return &found;
    texts.push_back(form.text());
    for (auto& word : form.words()) words.push_back(std::move(word));
  }
  problem(key, "is " + shown_value(found), join(texts, ", or "),
          found.is_string() ? did_you_mean(found.get<std::string>(), words) : "");
  return nullptr;
}

Json JsonReader::one_of(const std::string& key, const Json& fallback, std::span<const JsonForm> forms) {
  const Json* found = formed(key, fallback, forms);
  return found == nullptr ? fallback : *found;
}

bool JsonReader::boolean(const std::string& key, bool fallback) {
  return one_of(key, fallback, {{JsonForm::boolean()}}).get<bool>();
}

std::int64_t JsonReader::integer(const std::string& key, std::int64_t fallback, Range range) {
  return one_of(key, fallback, {{JsonForm::integer(range)}}).get<std::int64_t>();
}

double JsonReader::number(const std::string& key, double fallback, Range range) {
  return one_of(key, fallback, {{JsonForm::number(range)}}).get<double>();
}

std::string JsonReader::string(const std::string& key, std::string fallback) {
  return one_of(key, fallback, {{JsonForm::string()}}).get<std::string>();
}

std::string JsonReader::choice(const std::string& key, const std::string& fallback,
                               std::span<const std::string> allowed) {
  return one_of(key, fallback, {{JsonForm::choice(allowed)}}).get<std::string>();
}

std::vector<double> JsonReader::numbers(const std::string& key, std::vector<double> fallback, Range range) {
  const JsonForm list = JsonForm::list(JsonForm::number(range), fallback.size());
  return one_of(key, fallback, {{list}}).get<std::vector<double>>();
}

std::vector<std::string> JsonReader::list(const std::string& key, const std::vector<std::string>& fallback,
                                          std::size_t least, const JsonForm& item) {
  known_.push_back(key);
  const JsonForm form = JsonForm::list_from(least, item);
  if (schema_ != nullptr) {
    schema_->property(key).accept({{form}});
    schema_->property(key).set_default(fallback);
  }
  if (!has(key)) return fallback;
  std::vector<std::string> items;
  read_items(value_->at(key), path_of(key), least, form.text(), *problems_,
             [&](const Json& value, const std::string& path) {
               if (item.accepts(value)) return items.push_back(value.get<std::string>());
               problems_->push_back({path, "is " + shown_value(value), item.text(),
                                     value.is_string() ? did_you_mean(value.get<std::string>(), item.words()) : ""});
             });
  return items;
}

std::vector<std::string> JsonReader::strings(const std::string& key, std::vector<std::string> fallback,
                                             std::size_t least) {
  return list(key, fallback, least, JsonForm::string());
}

std::vector<std::string> JsonReader::choices(const std::string& key, std::span<const std::string> allowed) {
  return list(key, {}, 0, JsonForm::choice(allowed));
}

JsonReader JsonReader::object(const std::string& key) {
  static const Json kEmpty = Json::object();
  const Json* found = member(key);
  return JsonReader(found == nullptr ? kEmpty : *found, path_of(key), *problems_);
}

void JsonReader::finish() {
  if (!value_->is_object()) return;
  for (const auto& [key, ignored] : value_->items())
    if (std::find(known_.begin(), known_.end(), key) == known_.end())
      problem(key, "unknown key", known_.empty() ? "no options here" : "one of " + join(known_),
              did_you_mean(key, known_));
}

bool read_named(const Json& value, const std::string& path, std::span<const std::string> allowed,
                std::vector<Problem>& problems,
                const std::function<void(const std::string& name, JsonReader& options)>& read, const void* owner) {
  const auto read_options = [&](const std::string& name, const Json& given) {
    JsonReader options(given, path + "." + name, problems);
    read(name, options);
    options.finish();
  };
  if (JsonSchema* schema = JsonSchema::asked_by(value)) {
    if (owner != nullptr) schema = schema->shared(owner, last_key(path));
    if (schema != nullptr)
      for (const auto& name : allowed) read_options(name, schema->option(name).question());
    return false;
  }
  const bool is_name = value.is_string();
  if (!is_name && !(value.is_object() && value.size() == 1)) {
    problems.push_back(
        {path, "is " + shown_value(value), "one name with its options, such as {\"" + allowed[0] + "\": {}}", ""});
    return false;
  }
  const std::string name = is_name ? value.get<std::string>() : value.begin().key();
  if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
    problems.push_back({path, "unknown name \"" + name + "\"", "one of " + join(allowed), did_you_mean(name, allowed)});
    return false;
  }
  read_options(name, is_name ? Json::object() : value.front());
  return true;
}

bool read_keyed(const Json& value, const std::string& path, std::span<const std::string> keys,
                std::vector<Problem>& problems,
                const std::function<void(const std::string& key, JsonReader& object)>& read) {
  const auto read_object = [&](const std::string& key, const Json& given) {
    JsonReader object(given, path, problems);
    read(key, object);
    object.finish();
  };
  if (JsonSchema* schema = JsonSchema::asked_by(value)) {
    for (const auto& key : keys) {
      JsonSchema& kind = schema->alternative();
      read_object(key, kind.question());
      kind.require(key);
    }
    return false;
  }
  const auto key = std::find_if(keys.begin(), keys.end(), [&](const auto& name) { return value.contains(name); });
  if (key != keys.end()) read_object(*key, value);
  return key != keys.end();
}

void read_items(const Json& value, const std::string& path, std::size_t least, const std::string& expected,
                std::vector<Problem>& problems,
                const std::function<void(const Json& item, const std::string& path)>& read) {
  if (JsonSchema* schema = JsonSchema::asked_by(value)) {
    schema->accept_list(least);
    return read(schema->items().question(), path + "[]");
  }
  if (!value.is_array() || value.size() < least)
    return problems.push_back({path, "is " + shown_value(value), expected, ""});
  for (std::size_t i = 0; i < value.size(); ++i) read(value[i], path + "[" + std::to_string(i) + "]");
}

}  // namespace graft
