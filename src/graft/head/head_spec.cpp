#include "graft/head/head_spec.h"

#include <algorithm>

#include "graft/core/names.h"
#include "graft/head/head_layer.h"

namespace graft {
namespace {

constexpr const char* kEnd = "{\"linear\": \"classes\"} or {\"cosine\": \"classes\"}";

/// False when `value` names no kind of layer, and where it asks for its schema.
bool read_layer(const Json& value, const std::string& path, std::vector<HeadLayer>& layers,
                std::vector<Problem>& problems) {
  const auto names = head_layer_names();
  const bool found = read_keyed(value, path, names, problems, [&](const std::string& name, JsonReader& reader) {
    layers.push_back({name, head_layer_row(name).read(reader)});
  });
  if (!found) {
    const std::string first = value.is_object() && !value.empty() ? value.begin().key() : "";
    problems.push_back(
        {path, "is " + value.dump(), "a layer: an object with one of " + join(names), did_you_mean(first, names)});
  }
  return found;
}

bool gives_classes(const Json& layer) {
  return layer.is_object() &&
         std::any_of(layer.begin(), layer.end(), [](const Json& value) { return value == "classes"; });
}

}  // namespace

std::vector<std::string> head_layer_names() { return names_of(head_layer_rows()); }

HeadSpec read_head_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  HeadSpec spec;
  read_items(
      value, path, 1, "a list of layers, such as [{\"linear\": \"classes\"}]", problems,
      [&](const Json& layer, const std::string& at) {
        if (!read_layer(layer, at, spec.layers, problems)) return;
        if (&layer != &value.front() && spec.layers.back().kind == "whiten")
          problems.push_back({at, "is " + layer.dump() + " behind other layers", "whiten as the first layer",
                              "it is fitted to the backbone's features"});
        const bool last = &layer == &value.back();
        if (last != gives_classes(layer))
          problems.push_back({at, "is " + layer.dump(),
                              last ? std::string(kEnd) + " as the last layer" : "\"classes\" at the end only", ""});
      });
  return spec;
}

Json to_json(const HeadSpec& spec) {
  Json layers = Json::array();
  for (const auto& layer : spec.layers) layers.push_back(layer.json);
  return layers;
}

}  // namespace graft
