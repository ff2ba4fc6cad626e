#include "graft/core/json_schema.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "graft/core/names.h"

namespace graft {
namespace {

constexpr std::uint64_t kQuestion = 0x67726166;  // marks binary values that are questions

auto named(const auto& children, const std::string& name) {
  return std::ranges::find_if(children, [&](const auto& child) { return child.first == name; });
}

}  // namespace

const Json& JsonSchema::question() {
  if (question_.is_null()) {
    const JsonSchema* self = this;
    std::vector<std::uint8_t> bytes(sizeof self);
    std::memcpy(bytes.data(), &self, sizeof self);
    question_ = Json::binary(bytes, kQuestion);
  }
  return question_;
}

JsonSchema* JsonSchema::asked_by(const Json& value) {
  if (!value.is_binary() || !value.get_binary().has_subtype() || value.get_binary().subtype() != kQuestion)
    return nullptr;
  JsonSchema* schema = nullptr;
  std::memcpy(&schema, value.get_binary().data(), sizeof schema);
  return schema;
}

void JsonSchema::accept(std::span<const JsonForm> forms) { forms_.insert(forms_.end(), forms.begin(), forms.end()); }

void JsonSchema::accept_list(std::size_t least_items) {
  least_items_ = least_items;
  items();
}

std::unique_ptr<JsonSchema> JsonSchema::child(bool laid_over) {
  auto made = std::make_unique<JsonSchema>();
  made->root_ = root_;
  made->laid_over_ = laid_over;
  return made;
}

JsonSchema& JsonSchema::child_of(Named& children, const std::string& name, std::unique_ptr<JsonSchema> made) {
  const auto found = named(children, name);
  if (found != children.end()) return *found->second;
  children.emplace_back(name, std::move(made));
  return *children.back().second;
}

JsonSchema& JsonSchema::property(const std::string& key) { return child_of(properties_, key, child(laid_over_)); }
JsonSchema& JsonSchema::option(const std::string& name) { return child_of(options_, name, child(false)); }

bool JsonSchema::has_asked_for(const std::string& key) const {
  const auto found = named(properties_, key);
  return found != properties_.end() && !found->second->question_.is_null();
}

JsonSchema& JsonSchema::items() {
  if (!items_) items_ = child(false);
  return *items_;
}

JsonSchema& JsonSchema::alternative() { return *alternatives_.emplace_back(child(false)); }

JsonSchema* JsonSchema::shared(const void* owner, const std::string& name) {
  auto& all = root_->shared_;
  auto found = std::ranges::find(all, owner, &Shared::owner);
  const bool is_new = found == all.end();
  if (is_new) {
    std::string own = name;
    while (std::ranges::find(all, own, &Shared::name) != all.end()) own += "_";
    found = all.insert(all.end(), {owner, own, child(false)});
  }
  reference_ = found->name;
  return is_new ? found->schema.get() : nullptr;
}

Json JsonSchema::object_json() const {
  Json keys = Json::object(), required = Json::array();
  for (const auto& [key, schema] : properties_) {
    keys[key] = schema->json();
    if (laid_over_ || !contains(required_, key)) continue;
    required.push_back(key);
    keys[key].erase("default");
  }
  Json json{{"type", "object"}, {"properties", keys}};
  if (!required.empty()) json["required"] = required;
  json["additionalProperties"] = false;
  return json;
}

/// One name with its options; a name alone where none of these must be given.
Json JsonSchema::options_json() const {
  Json alone = Json::array(), all = Json::object();
  for (const auto& [name, schema] : options_) {
    all[name] = schema->json();
    if (!all[name].contains("required")) alone.push_back(name);
  }
  const Json with_options{{"type", "object"},
                          {"properties", all},
                          {"minProperties", 1},
                          {"maxProperties", 1},
                          {"additionalProperties", false}};
  return alone.empty() ? Json::array({with_options}) : Json::array({{{"enum", alone}}, with_options});
}

Json JsonSchema::json() const {
  Json any = Json::array();
  for (const auto& form : forms_) any.push_back(form.schema());
  if (is_object_) any.push_back(object_json());
  if (!options_.empty())
    for (auto& schema : options_json()) any.push_back(schema);
  if (items_) any.push_back({{"type", "array"}, {"items", items_->json()}, {"minItems", least_items_}});
  for (const auto& kind : alternatives_) any.push_back(kind->json());
  if (!reference_.empty()) any.push_back({{"$ref", "#/$defs/" + reference_}});
  Json json = any.size() == 1 ? any.front() : Json::object();
  if (any.size() > 1) json["anyOf"] = any;
  if (!default_.is_null()) json["default"] = default_;
  if (root_ != this || shared_.empty()) return json;
  for (const auto& definition : shared_) json["$defs"][definition.name] = definition.schema->json();
  return json;
}

}  // namespace graft
