#include "graft/backbone/layers.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <unordered_map>

#include "graft/core/names.h"

namespace graft {
namespace {

using graph::Node;
using graph::Value;
using Shape = std::vector<std::int64_t>;

std::int64_t count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

/// Multiply-adds of an operator from its output's shape and that of one input.
struct Cost {
  std::string_view kind;
  std::size_t input;
  std::int64_t (*multiply_adds)(const Shape& output, const Shape& input);
};

std::int64_t of_convolution(const Shape& output, const Shape& weight) {
  return count(output) * count(weight) / weight[0];
}
std::int64_t of_product(const Shape& output, const Shape& left) { return count(output) * left.back(); }
/// Queries times keys and weights times values.
std::int64_t of_attention(const Shape& output, const Shape& key) { return 2 * count(output) * key[key.size() - 2]; }

constexpr Cost kCosts[] = {
    {"aten::conv1d", 1, of_convolution},
    {"aten::conv2d", 1, of_convolution},
    {"aten::conv3d", 1, of_convolution},
    {"aten::_convolution", 1, of_convolution},
    {"aten::linear", 0, of_product},
    {"aten::matmul", 0, of_product},
    {"aten::mm", 0, of_product},
    {"aten::bmm", 0, of_product},
    {"aten::addmm", 1, of_product},
    {"aten::baddbmm", 1, of_product},
    {"aten::scaled_dot_product_attention", 1, of_attention},
};

const Cost* cost_of(const Node* node) {
  const auto* found = std::find_if(std::begin(kCosts), std::end(kCosts),
                                   [&](const Cost& cost) { return cost.kind == node->kind().toQualString(); });
  return found == std::end(kCosts) ? nullptr : found;
}

/// What one run says of the network: shapes alone, so that no activation is kept.
struct Measured {
  std::unordered_map<std::string, Shape> shapes;  ///< of the last tensor that is made within each module
  std::map<std::string, std::int64_t> multiply_adds;
};

class ShapeRun {
 public:
  explicit ShapeRun(const Backbone& backbone) : graph_(backbone.graph()->copy()) {
    for (Node* node : graph_->nodes()) {
      // Values of prim:: may be uninitialised, as those of a branch behind an early return are.
      if (!node->kind().is_aten() || node->outputs().empty() || !graph::is_tensor(node->outputs()[0])) continue;
      const Cost* cost = cost_of(node);
      nodes_.push_back({node->scopeName(), cost, ask_size(node, node->outputs()[0]),
                        cost == nullptr ? nullptr : ask_size(node, node->input(cost->input))});
    }
    return_sizes();
    const auto size = backbone.image_size();
    answers_ = graph::run_graph(graph_, backbone.module(), torch::zeros({1, 3, size, size}));
  }

  Measured measured() const {
    Measured result;
    std::size_t next = 0;
    const auto& answers = answers_.toTupleRef().elements();
    for (const auto& node : nodes_) {
      const Shape output = answers[next++].toIntVector();
      for (std::string path = node.scope;; path = graph::parent_path(path)) {
        result.shapes[path] = output;
        if (path.empty()) break;
      }
      if (node.cost != nullptr)
        result.multiply_adds[node.scope] += node.cost->multiply_adds(output, answers[next++].toIntVector());
    }
    return result;
  }

 private:
  struct Asked {
    std::string scope;
    const Cost* cost;
    Value* output_size;
    Value* input_size;
  };

  Value* ask_size(Node* behind, Value* tensor) {
    Node* size = graph_->create(c10::aten::size, {tensor});
    size->output()->setType(c10::ListType::ofInts());
    size->insertAfter(behind);
    return size->output();
  }

  void return_sizes() {
    std::vector<Value*> sizes;
    for (const auto& node : nodes_) {
      sizes.push_back(node.output_size);
      if (node.input_size != nullptr) sizes.push_back(node.input_size);
    }
    Node* tuple = graph_->createTuple(sizes);
    tuple->insertBefore(graph_->block()->return_node());
    while (!graph_->outputs().empty()) graph_->eraseOutput(0);
    graph_->registerOutput(tuple->output());
  }

  std::shared_ptr<graph::Graph> graph_;
  std::vector<Asked> nodes_;
  c10::IValue answers_;
};

std::string class_name(const torch::jit::Module& module) {
  std::string name = module.type()->name()->name();
  return name.substr(0, name.find("___torch_mangle"));
}

}  // namespace

std::vector<Layer> list_layers(const Backbone& backbone) {
  const Measured measured = ShapeRun(backbone).measured();
  std::vector<Layer> layers;
  for (const auto& module : backbone.module().named_modules()) {
    Layer layer;
    layer.path = module.name;
    layer.type = class_name(module.value);
    layer.depth =
        layer.path.empty() ? 0 : 1 + static_cast<std::size_t>(std::count(layer.path.begin(), layer.path.end(), '.'));
    if (const auto shape = measured.shapes.find(layer.path); shape != measured.shapes.end())
      layer.shape = shape->second;
    for (const auto& [scope, multiply_adds] : measured.multiply_adds)
      if (is_within(scope, layer.path)) layer.multiply_adds += multiply_adds;
    for (const auto& [name, parameter] : backbone.parameters()) {
      if (!is_within(name, layer.path)) continue;
      layer.all_parameters += parameter.numel();
      if (graph::parent_path(name) != layer.path) continue;
      layer.parameters += parameter.numel();
      layer.names.push_back(name);
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace graft
