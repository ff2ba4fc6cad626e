#include "graft/backbone/known_tensors.h"

#include <torch/csrc/jit/runtime/graph_executor.h>

#include <algorithm>

namespace graft::graph {

KnownTensors::KnownTensors(const std::shared_ptr<Graph>& graph, torch::jit::Stack two_rows, std::int64_t rows)
    : rows_(rows) {
  std::vector<Value*> values;
  for (Node* node : graph->nodes())
    for (Value* value : node->outputs())
      if (is_tensor(value) && node->kind() != c10::prim::Constant) values.push_back(value);
  for (Value* value : graph->inputs())
    if (is_tensor(value)) values.push_back(value);
  const std::size_t before = graph->outputs().size();
  for (Value* value : values) graph->registerOutput(value);
  torch::jit::GraphExecutor(graph->copy(), "sizes").run(two_rows);
  while (graph->outputs().size() > before) graph->eraseOutput(graph->outputs().size() - 1);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (const c10::IValue& found = two_rows[before + i]; found.isTensor() && found.toTensor().defined())
      known_[values[i]] = {found.toTensor().sizes().vec(), found.toTensor().scalar_type()};
}

const KnownTensors::Known& KnownTensors::find(const Value* value) const {
  static const Known kNothing;
  const auto found = known_.find(value);
  return found == known_.end() ? kNothing : found->second;
}

const Sizes& KnownTensors::sizes(const Value* value) const { return find(value).sizes; }

at::ScalarType KnownTensors::type(const Value* value) const { return find(value).type; }

void KnownTensors::set_as(const Value* value, const Value* other) {
  const Known copy = find(other);
  known_[value] = copy;
}

Sizes KnownTensors::expected_sizes(const Value* value) const {
  Sizes sizes = this->sizes(value);
  sizes.at(0) = std::max<std::int64_t>(1, sizes[0] * rows_ / 2);
  return sizes;
}

}  // namespace graft::graph
