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

  /// The Spec that `value` describes; after a problem, the defaults.
  template <typename Spec>
  Spec read(const Json& value, const std::string& path, std::vector<Problem>& problems) const {
    const NamedOptions named = read_named_options(value, path, names_, problems);
    Spec spec;
    if (!named.name.empty()) spec.name = named.name;
    spec.options = read_options(spec.name, named.name.empty() ? Json::object() : named.options, named.path, problems);
    return spec;
  }

  /// The options of a Spec that was written by hand and may leave some out.
  /// @throws Error when one is unknown or out of range.
  template <typename Spec>
  Json complete(const Spec& spec) const {
    std::vector<Problem> problems;
    Json options = read_options(spec.name, spec.options, spec.name, problems);
    if (!problems.empty()) throw Error(std::move(problems));
    return options;
  }

 private:
  Json read_options(const std::string& name, const Json& given, const std::string& path,
                    std::vector<Problem>& problems) const {
    JsonReader reader(given, path, problems);
    Json options = at(name).read_options(reader);
    reader.finish();
    return options;
  }

  std::vector<Row> rows_;
  std::vector<std::string> names_;
};

}  // namespace graft
