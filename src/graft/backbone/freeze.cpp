#include "graft/backbone/freeze.h"

#include <c10/util/Exception.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include "graft/backbone/branches.h"

namespace graft::graph {
namespace {

c10::IValue copy_of(const c10::IValue& value) {
  if (!value.isTensor() || !value.toTensor().defined()) return value;
  const at::Tensor tensor = value.toTensor().detach();
  return tensor.clone(tensor.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Preserve);
}

/// Puts the value that the module has in place of every read of it, one constant an attribute.
void replace_reads(Graph& graph, const torch::jit::Module& self) {
  ModuleEvaluator evaluator(graph, self);
  std::unordered_map<std::string, Value*> constants;
  torch::jit::WithInsertPoint at_start(*graph.block()->nodes().begin());
  for (Node* node : all_nodes(graph.block())) {
    if (node->kind() != c10::prim::GetAttr || node->output()->type()->is_module()) continue;
    const std::string path = attribute_path(node->output()).value();
    const auto value = evaluator.evaluate(node->output());
    TORCH_CHECK(value, "the attribute ", path, " cannot be read");
    auto known = constants.find(path);
    if (known == constants.end()) known = constants.emplace(path, graph.insertConstant(copy_of(*value))).first;
    node->output()->replaceAllUsesWith(known->second);
  }
}

}  // namespace

std::shared_ptr<Graph> freeze(const std::shared_ptr<Graph>& part, const torch::jit::Module& self) {
  auto graph = part->copy();
  replace_reads(*graph, self);
  resolve_branches(graph, self);
  torch::jit::EliminateDeadCode(graph);
  graph->eraseInput(0);
  torch::jit::ConstantPropagation(graph);
  graph->lint();
  return graph;
}

}  // namespace graft::graph
