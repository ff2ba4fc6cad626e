#include "graft/backbone/graph.h"

#include <torch/csrc/autograd/grad_mode.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <stdexcept>
#include <unordered_set>

namespace graft::graph {
namespace {

namespace prim = c10::prim;
namespace attr = c10::attr;

/// Ends an evaluation that cannot be done; never leaves this file.
struct CannotEvaluate : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace

std::optional<std::string> attribute_path(const Value* value) {
  const Node* node = value->node();
  if (node->kind() == prim::Param)
    return node->owningBlock() == node->owningGraph()->block() && value->offset() == 0 ? std::optional<std::string>("")
                                                                                       : std::nullopt;
  if (node->kind() != prim::GetAttr) return std::nullopt;
  auto parent = attribute_path(node->input(0));
  if (!parent) return std::nullopt;
  return parent->empty() ? node->s(attr::name) : *parent + "." + node->s(attr::name);
}

std::string parent_path(const std::string& path) {
  const auto dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

bool may_be_tensor(const Value* value) {
  const auto optional = value->type()->cast<c10::OptionalType>();
  return (optional ? optional->getElementType() : value->type())->isSubtypeOf(*c10::TensorType::get());
}

bool is_trivial(const Node* node) { return node->kind() == prim::Constant || node->kind() == prim::GetAttr; }

std::vector<Node*> all_nodes(Block* block) {
  std::vector<Node*> nodes;
  for (Node* node : block->nodes()) {
    nodes.push_back(node);
    for (Block* inner : node->blocks()) {
      const auto within = all_nodes(inner);
      nodes.insert(nodes.end(), within.begin(), within.end());
    }
  }
  return nodes;
}

void for_each_input(const Node* node, const std::function<void(const Value*)>& visit) {
  for (const Value* input : node->inputs()) visit(input);
  for (const Block* block : node->blocks()) {
    for (const Node* inner : block->nodes()) for_each_input(inner, visit);
    for (const Value* output : block->outputs()) visit(output);
  }
}

bool InputDependence::depends(const Node* node) {
  bool found = false;
  for_each_input(node, [&](const Value* input) { found = found || depends(input); });
  return found;
}

bool InputDependence::depends(const Value* value) {
  if (const auto known = known_.find(value); known != known_.end()) return known->second;
  const Node* node = value->node();
  known_[value] = false;  // a loop that carries only itself depends on nothing
  bool result = false;
  if (node->kind() == prim::Param) {
    const Block* block = node->owningBlock();
    result = block == graph_.block() ? value->offset() != 0 : depends(block->owningNode());
  } else {
    result = depends(node);
  }
  return known_[value] = result;
}

std::optional<c10::IValue> ModuleEvaluator::evaluate(const Value* value) {
  try {
    return compute(value);
  } catch (const std::exception&) {
    return std::nullopt;  // the contract: an operator that raises has no value
  }
}

c10::IValue ModuleEvaluator::compute(const Value* value) {
  if (const auto known = known_.find(value); known != known_.end()) return known->second;
  if (value == graph_.inputs()[0]) return self_._ivalue();
  const Node* node = value->node();
  if (node->kind() == prim::GetAttr) {
    if (node->s(attr::name) == "training") {
      read_training_ = true;
      return known_[value] = false;
    }
    return known_[value] = compute(node->input(0)).toObject()->getAttr(node->s(attr::name));
  }
  if (node->kind() == prim::Constant) return known_[value] = torch::jit::toIValue(value).value();
  if (node->kind() == prim::unchecked_cast || node->kind() == prim::unchecked_unwrap_optional)
    return known_[value] = compute(node->input(0));
  if (node->kind() == prim::If) {
    const Block* taken = node->blocks()[compute(node->input(0)).toBool() ? 0 : 1];
    return known_[value] = compute(taken->outputs()[value->offset()]);
  }
  if (node->kind() == prim::Param || !node->blocks().empty() || node->hasSideEffects())
    throw CannotEvaluate(node->kind().toQualString());
  torch::jit::Stack stack;
  for (const Value* input : node->inputs()) stack.push_back(compute(input));
  node->getOperation()(stack);
  for (std::size_t i = 0; i < node->outputs().size(); ++i) known_[node->outputs()[i]] = stack[i];
  return known_.at(value);
}

c10::IValue run_graph(const std::shared_ptr<Graph>& graph, const torch::jit::Module& self, const at::Tensor& input) {
  torch::NoGradGuard no_grad;
  torch::jit::Stack stack{self._ivalue(), input};
  torch::jit::GraphExecutor executor(graph->copy(), "graft_probe");
  executor.run(stack);
  return stack.back();
}

void add_method(torch::jit::Module& module, const std::string& name, const std::shared_ptr<Graph>& graph) {
  const c10::QualifiedName qualified(*module.type()->name(), name);
  module.type()->addMethod(module._ivalue()->compilation_unit()->create_function(qualified, graph));
}

void remove_methods(torch::jit::Module& module) {
  const auto unit = module._ivalue()->compilation_unit();
  std::unordered_set<const c10::ClassType*> seen;
  for (const auto& submodule : module.modules()) {
    const auto type = submodule.type();
    if (!seen.insert(type.get()).second) continue;
    const std::vector<torch::jit::Function*> methods(type->methods().begin(), type->methods().end());
    for (const auto* method : methods) {
      if (method->name() == "__getstate__" || method->name() == "__setstate__") continue;
      const auto qualified = method->qualname();
      type->unsafeRemoveMethod(method->name());  // the type first: the other order leaves it a dangling method
      unit->unsafeRemoveMethod(qualified);
    }
  }
}

}  // namespace graft::graph
