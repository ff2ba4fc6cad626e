#include "graft/head/head_spec.h"

#include <algorithm>

#include "graft/core/names.h"
#include "graft/head/head_layer.h"

namespace graft {
namespace {

constexpr const char* kEnd = "{\"linear\": \"classes\"} or {\"cosine\": \"classes\"}";

/// False when `value` names no kind of layer.
bool read_layer(const Json& value, const std::string& path, std::vector<HeadLayer>& layers,
                std::vector<Problem>& problems) {
  const auto& rows = head_layer_rows();
  const auto row =
      std::find_if(rows.begin(), rows.end(), [&](const HeadLayerRow& other) { return value.contains(other.name); });
  if (row == rows.end()) {
    const std::string first = value.is_object() && !value.empty() ? value.begin().key() : "";
    problems.push_back({path, "is " + value.dump(), "a layer: an object with one of " + join(head_layer_names()),
                        did_you_mean(first, head_layer_names())});
    return false;
  }
  JsonReader reader(value, path, problems);
  layers.push_back({row->name, row->read(reader)});
  reader.finish();
  return true;
}

bool gives_classes(const Json& layer) {
  return layer.is_object() &&
         std::any_of(layer.begin(), layer.end(), [](const Json& value) { return value == "classes"; });
}

}  // namespace

std::vector<std::string> head_layer_names() { return names_of(head_layer_rows()); }

HeadSpec read_head_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  HeadSpec spec;
  if (!value.is_array() || value.empty()) {
    problems.push_back({path, "is " + value.dump(), "a list of layers, such as [{\"linear\": \"classes\"}]", ""});
    return spec;
  }
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string at = path + "[" + std::to_string(i) + "]";
    if (!read_layer(value[i], at, spec.layers, problems)) continue;
    if (i > 0 && spec.layers.back().kind == "whiten")
      problems.push_back({at, "is " + value[i].dump() + " behind other layers", "whiten as the first layer",
                          "it is fitted to the backbone's features"});
    const bool last = i + 1 == value.size();
    if (last != gives_classes(value[i]))
      problems.push_back({at, "is " + value[i].dump(),
                          last ? std::string(kEnd) + " as the last layer" : "\"classes\" at the end only", ""});
  }
  return spec;
}

Json to_json(const HeadSpec& spec) {
  Json layers = Json::array();
  for (const auto& layer : spec.layers) layers.push_back(layer.json);
  return layers;
}

}  // namespace graft
