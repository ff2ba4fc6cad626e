#include "graft/backbone/layers.h"

#include <torch/torch.h>

#include <algorithm>
#include <unordered_map>

namespace graft {
namespace {

using graph::Value;

std::string class_name(const torch::jit::Module& module) {
  std::string name = module.type()->name()->name();
  return name.substr(0, name.find("___torch_mangle"));
}

/// The last tensor that the nodes of each module make.
std::unordered_map<std::string, Value*> module_outputs(graph::Graph& graph) {
  std::unordered_map<std::string, Value*> outputs;
  for (auto* node : graph.nodes())
    for (Value* output : node->outputs())
      if (!graph::is_trivial(node) && output->type()->isSubtypeOf(*c10::TensorType::get()))
        outputs[node->scopeName()] = output;
  return outputs;
}

std::unordered_map<std::string, std::vector<std::int64_t>> output_shapes(const Backbone& backbone) {
  auto graph = backbone.graph()->copy();
  const auto outputs = module_outputs(*graph);
  std::vector<std::string> paths;
  std::vector<Value*> values;
  for (const auto& [path, value] : outputs) {
    paths.push_back(path);
    values.push_back(value);
  }
  auto* tuple = graph->createTuple(values);
  tuple->insertBefore(graph->block()->return_node());
  while (!graph->outputs().empty()) graph->eraseOutput(0);
  graph->registerOutput(tuple->output());
  const auto size = backbone.image_size();
  const auto results = graph::run_graph(graph, backbone.module(), torch::zeros({1, 3, size, size}));
  std::unordered_map<std::string, std::vector<std::int64_t>> shapes;
  for (std::size_t i = 0; i < paths.size(); ++i)
    shapes[paths[i]] = results.toTupleRef().elements()[i].toTensor().sizes().vec();
  return shapes;
}

}  // namespace

std::vector<Layer> list_layers(const Backbone& backbone) {
  const auto shapes = output_shapes(backbone);
  std::unordered_map<std::string, std::string> types;
  for (const auto& module : backbone.module().named_modules()) types[module.name] = class_name(module.value);
  std::vector<Layer> layers;
  for (const auto& [name, parameter] : backbone.parameters()) {
    const auto dot = name.rfind('.');
    const std::string path = dot == std::string::npos ? "" : name.substr(0, dot);
    auto layer = std::find_if(layers.begin(), layers.end(), [&](const Layer& known) { return known.path == path; });
    if (layer == layers.end()) {
      const auto shape = shapes.find(path);
      layer = layers.insert(
          layers.end(),
          {path, types[path], shape == shapes.end() ? std::vector<std::int64_t>{} : shape->second, 0, {}});
    }
    layer->parameters += parameter.numel();
    layer->names.push_back(name);
  }
  return layers;
}

}  // namespace graft
