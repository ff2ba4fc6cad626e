#include "graft/backbone/freeze.h"

#include <c10/util/Exception.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include "graft/backbone/branches.h"

namespace graft::graph {
namespace {

c10::IValue copy_of(const c10::IValue& value, at::MemoryFormat layout) {
  if (!value.isTensor() || !value.toTensor().defined()) return value;
  const at::Tensor tensor = value.toTensor().detach();
  return tensor.clone(tensor.dim() == 4 ? layout : at::MemoryFormat::Preserve);
}

/// Attributes that the network itself sets while it runs: they are no constants.
std::unordered_set<std::string> written_attributes(Graph& graph) {
  std::unordered_set<std::string> paths;
  for (const Node* node : all_nodes(graph.block()))
    if (node->kind() == c10::prim::SetAttr)
      if (const auto owner = attribute_path(node->input(0)))
        paths.insert((owner->empty() ? "" : *owner + ".") + node->s(c10::attr::name));
  return paths;
}

/// Puts the value that the module has in place of every read of it, one constant an attribute.
void replace_reads(Graph& graph, const torch::jit::Module& self, at::MemoryFormat layout) {
  const auto written = written_attributes(graph);
  ModuleEvaluator evaluator(graph, self);
  std::unordered_map<std::string, Value*> constants;
  torch::jit::WithInsertPoint at_start(*graph.block()->nodes().begin());
  for (Node* node : all_nodes(graph.block())) {
    if (node->kind() != c10::prim::GetAttr || node->output()->type()->is_module()) continue;
    const std::string path = attribute_path(node->output()).value();
    if (written.contains(path)) continue;
    const auto value = evaluator.evaluate(node->output());
    TORCH_CHECK(value, "the attribute ", path, " cannot be read");
    auto known = constants.find(path);
    if (known == constants.end()) known = constants.emplace(path, graph.insertConstant(copy_of(*value, layout))).first;
    node->output()->replaceAllUsesWith(known->second);
  }
}

}  // namespace

std::shared_ptr<Graph> freeze(const std::shared_ptr<Graph>& part, const torch::jit::Module& self,
                              at::MemoryFormat layout) {
  auto graph = part->copy();
  replace_reads(*graph, self, layout);
  resolve_branches(graph, self);
  torch::jit::EliminateDeadCode(graph);
  torch::jit::ConstantPropagation(graph);
  graph->lint();
  return graph;
}

}  // namespace graft::graph
