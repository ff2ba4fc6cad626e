#pragma once
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/json_form.h"

namespace graft {

/// What a reader of JSON asks for at one place, and below it. Handed its question() in place of a value, a reader
/// (JsonReader, read_named, read_items) writes down here what it would read: the code that reads is the description.
class JsonSchema {
 public:
  JsonSchema() = default;
  JsonSchema(const JsonSchema&) = delete;
  JsonSchema& operator=(const JsonSchema&) = delete;

  /// A value that no JSON text can hold; copies of it ask the same. It must not outlive the schema.
  const Json& question();
  /// The schema that `value` asks for; null of ordinary values.
  static JsonSchema* asked_by(const Json& value);

  void accept(std::span<const JsonForm> forms);
  void accept_object() { is_object_ = true; }
  void accept_list(std::size_t least_items);
  void set_default(const Json& value) { default_ = value; }
  /// A key of the object. The objects of a root, and those in them, are laid over others: there no key is required.
  JsonSchema& property(const std::string& key);
  bool has_asked_for(const std::string& key) const;
  void require(const std::string& key) { required_.push_back(key); }
  JsonSchema& items();
  /// One of the names that stand for themselves or before their options.
  JsonSchema& option(const std::string& name);
  /// An object of another kind than those before.
  JsonSchema& alternative();
  /// The schema that all places share that `owner` reads, known as `name`; null where it is described already.
  JsonSchema* shared(const void* owner, const std::string& name);

  /// JSON Schema, draft 2020-12, with "$defs" at the root.
  Json json() const;

 private:
  using Named = std::vector<std::pair<std::string, std::unique_ptr<JsonSchema>>>;
  struct Shared {
    const void* owner;
    std::string name;
    std::unique_ptr<JsonSchema> schema;
  };

  std::unique_ptr<JsonSchema> child(bool laid_over);
  static JsonSchema& child_of(Named& named, const std::string& name, std::unique_ptr<JsonSchema> made);
  Json object_json() const;
  Json options_json() const;

  JsonSchema* root_ = this;
  bool laid_over_ = true;
  Json question_;
  Json default_;
  std::string reference_;
  std::vector<JsonForm> forms_;
  bool is_object_ = false;
  Named properties_, options_;
  std::vector<std::string> required_;
  std::size_t least_items_ = 0;
  std::unique_ptr<JsonSchema> items_;
  std::vector<std::unique_ptr<JsonSchema>> alternatives_;
  std::vector<Shared> shared_;  // of the root
};

}  // namespace graft
