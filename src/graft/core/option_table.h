#pragma once
#include <c10/util/Exception.h>

#include <algorithm>
#include <string>
#include <vector>

#include "graft/core/json.h"
#include "graft/core/names.h"

namespace graft {

/// What a row without options reads.
inline Json no_options(JsonReader&) { return Json::object(); }

/// A family of features of which a recipe names one, with options. A Row has `std::string name` and
/// `Json (*read_options)(JsonReader&)`, which returns every option, defaults filled in. A Spec has `std::string name`
/// (by default the family's default) and `Json options`.
template <typename Row>
class OptionTable {
 public:
  explicit OptionTable(std::vector<Row> rows) : rows_(std::move(rows)), names_(names_of(rows_)) {}

  /// In the table's order.
  const std::vector<std::string>& names() const { return names_; }

  const Row& at(const std::string& name) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    TORCH_CHECK(found != names_.end(), "no row is called '", name, "'");
    return rows_[static_cast<std::size_t>(found - names_.begin())];
  }

  /// The Spec that `value` describes; after a problem, and where it asks for its schema, the defaults.
  template <typename Spec>
  Spec read(const Json& value, const std::string& path, std::vector<Problem>& problems) const {
    Spec spec;
    if (JsonSchema* schema = JsonSchema::asked_by(value)) schema->set_default(spec.name);
    const bool found = read_named(
        value, path, names_, problems,
        [&](const std::string& name, JsonReader& reader) {
          spec.name = name;
          spec.options = at(name).read_options(reader);
        },
        this);
    if (!found) spec = Spec{};
    if (!found) spec.options = complete(spec);
    return spec;
  }

  /// The Spec under a key; the defaults where there is none.
  template <typename Spec>
  Spec read_member(JsonReader& reader, const std::string& key) const {
    const Json* value = reader.member(key);
    return read<Spec>(value == nullptr ? Json(Spec{}.name) : *value, reader.path_of(key), reader.problems());
  }

  /// The options of a Spec that was written by hand and may leave some out.
  /// @throws Error when one is unknown or out of range.
  template <typename Spec>
  Json complete(const Spec& spec) const {
    std::vector<Problem> problems;
    JsonReader reader(spec.options, spec.name, problems);
    Json options = at(spec.name).read_options(reader);
    reader.finish();
    if (!problems.empty()) throw Error(std::move(problems));
    return options;
  }

 private:
  std::vector<Row> rows_;
  std::vector<std::string> names_;
};

}  // namespace graft
