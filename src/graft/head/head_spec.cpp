#include "graft/head/head_spec.h"

#include <algorithm>
#include <array>

#include "graft/core/names.h"
#include "graft/head/activation.h"
#include "graft/head/initialize.h"

namespace graft {
namespace {

const Range kBelowOne{.low = 0, .high = 1, .high_open = true};
constexpr double kWidest = 65536;

void read_batch_norm(JsonReader& reader, HeadLayer& layer) {
  JsonReader options = reader.object("batch_norm");
  layer.momentum = options.number("momentum", layer.momentum, Range::between(0, 1));
  layer.eps = options.number("eps", layer.eps, Range::above(0));
  options.finish();
}

Json write_batch_norm(const HeadLayer& layer) {
  return {{"batch_norm", {{"momentum", layer.momentum}, {"eps", layer.eps}}}};
}

void read_dropout(JsonReader& reader, HeadLayer& layer) { layer.p = reader.number("dropout", layer.p, kBelowOne); }

Json write_dropout(const HeadLayer& layer) { return {{"dropout", layer.p}}; }

void read_linear(JsonReader& reader, HeadLayer& layer) {
  const Json& width = *reader.member("linear");
  const bool is_width = width.is_number_integer() && Range::between(1, kWidest).contains(width.get<double>());
  if (is_width)
    layer.width = width.get<std::int64_t>();
  else if (width != "classes")
    reader.problem("linear", "is " + width.dump(), "\"classes\" or a whole number from 1 to 65536");
  layer.bias = reader.boolean("bias", layer.bias);
  layer.init = reader.choice("init", layer.init, initialization_names());
}

Json write_linear(const HeadLayer& layer) {
  const Json width = layer.width == 0 ? Json("classes") : Json(layer.width);
  return {{"linear", width}, {"bias", layer.bias}, {"init", layer.init}};
}

void read_activation(JsonReader& reader, HeadLayer& layer) {
  layer.activation = reader.choice("activation", activation_names().front(), activation_names());
}

Json write_activation(const HeadLayer& layer) { return {{"activation", layer.activation}}; }

struct Row {
  std::string name;
  HeadLayer::Kind kind;
  void (*read)(JsonReader& reader, HeadLayer& layer);
  Json (*write)(const HeadLayer& layer);
};

const std::array<Row, 4>& table() {
  using Kind = HeadLayer::Kind;
  static const std::array<Row, 4> kTable{{
      {"batch_norm", Kind::kBatchNorm, read_batch_norm, write_batch_norm},
      {"dropout", Kind::kDropout, read_dropout, write_dropout},
      {"linear", Kind::kLinear, read_linear, write_linear},
      {"activation", Kind::kActivation, read_activation, write_activation},
  }};
  return kTable;
}

std::vector<std::string> kinds() {
  std::vector<std::string> names;
  for (const auto& row : table()) names.push_back(row.name);
  return names;
}

/// False when `value` names no kind of layer.
bool read_layer(const Json& value, const std::string& path, std::vector<HeadLayer>& layers,
                std::vector<Problem>& problems) {
  const auto row =
      std::find_if(table().begin(), table().end(), [&](const Row& other) { return value.contains(other.name); });
  if (row == table().end()) {
    const std::string first = value.is_object() && !value.empty() ? value.begin().key() : "";
    problems.push_back(
        {path, "is " + value.dump(), "a layer: an object with one of " + join(kinds()), did_you_mean(first, kinds())});
    return false;
  }
  HeadLayer layer;
  layer.kind = row->kind;
  JsonReader reader(value, path, problems);
  row->read(reader, layer);
  reader.finish();
  layers.push_back(std::move(layer));
  return true;
}

bool ends_in_classes(const Json& value) {
  return value.is_object() && value.contains("linear") && value["linear"] == "classes";
}

}  // namespace

HeadSpec read_head_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  HeadSpec spec;
  if (!value.is_array() || value.empty()) {
    problems.push_back({path, "is " + value.dump(), "a list of layers, such as [{\"linear\": \"classes\"}]", ""});
    return spec;
  }
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string at = path + "[" + std::to_string(i) + "]";
    if (!read_layer(value[i], at, spec.layers, problems)) continue;
    const bool last = i + 1 == value.size();
    if (last != ends_in_classes(value[i]))
      problems.push_back(
          {at, "is " + value[i].dump(),
           last ? "{\"linear\": \"classes\"} as the last layer" : "{\"linear\": \"classes\"} at the end only", ""});
  }
  return spec;
}

Json to_json(const HeadSpec& spec) {
  Json layers = Json::array();
  for (const auto& layer : spec.layers) {
    const auto row =
        std::find_if(table().begin(), table().end(), [&](const Row& other) { return other.kind == layer.kind; });
    layers.push_back(row->write(layer));
  }
  return layers;
}

}  // namespace graft
