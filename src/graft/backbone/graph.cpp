#include "graft/backbone/graph.h"

#include <torch/csrc/autograd/grad_mode.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <unordered_set>

namespace graft::graph {
namespace {

namespace prim = c10::prim;
namespace attr = c10::attr;

/// Operators that give a view of their first input.
const std::set<std::string, std::less<>> kViews{"aten::select",    "aten::slice",     "aten::view",   "aten::reshape",
                                                "aten::transpose", "aten::permute",   "aten::narrow", "aten::squeeze",
                                                "aten::unsqueeze", "aten::expand",    "aten::alias",  "aten::t",
                                                "aten::flatten",   "aten::unflatten", "aten::detach"};
const std::set<std::string, std::less<>> kInsertions{"aten::append", "aten::extend", "aten::insert", "aten::_set_item"};

bool writes_to_first_input(const Node* node) {
  const std::string_view kind = node->kind().toQualString();
  return kInsertions.contains(kind) || (kind.starts_with("aten::") && kind.ends_with('_') && !kind.ends_with("__") &&
                                        kind.find("dropout") == std::string_view::npos);
}

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

bool is_tensor(const Value* value) { return value->type()->isSubtypeOf(*c10::TensorType::get()); }

bool may_be_tensor(const Value* value) {
  const auto optional = value->type()->cast<c10::OptionalType>();
  return (optional ? optional->getElementType() : value->type())->isSubtypeOf(*c10::TensorType::get());
}

bool is_trivial(const Node* node) { return node->kind() == prim::Constant || node->kind() == prim::GetAttr; }

std::optional<at::Tensor> constant_tensor(const Node* node) {
  if (node->kind() != prim::Constant) return std::nullopt;
  const auto value = torch::jit::toIValue(node->output());
  return value && value->isTensor() ? std::optional(value->toTensor()) : std::nullopt;
}

bool normalises_by_its_input(const Node* node) {
  if (node->kind() != c10::aten::batch_norm && node->kind() != c10::aten::instance_norm) return false;
  constexpr std::size_t kRunningMean = 3;
  return node->input(kRunningMean)->type()->kind() == c10::TypeKind::NoneType ||
         node->input(kRunningMean)->mustBeNone();
}

Node* only_reader(const Value* value) { return value->uses().size() == 1 ? value->uses()[0].user : nullptr; }

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

std::vector<Node*> writers_of(const Value* value) {
  std::vector<Node*> writers;
  for (const auto& use : value->uses()) {
    if (use.offset != 0) continue;
    if (writes_to_first_input(use.user)) {
      writers.push_back(use.user);
    } else if (kViews.contains(use.user->kind().toQualString())) {
      const auto of_view = writers_of(use.user->output());
      writers.insert(writers.end(), of_view.begin(), of_view.end());
    }
  }
  return writers;
}

namespace {

void need_node(const Node* node, std::unordered_set<const Node*>& needed) {
  if (node->kind() == prim::Param) node = node->owningBlock()->owningNode();
  if (node == nullptr || !needed.insert(node).second) return;
  for_each_input(node, [&](const Value* input) { collect_needed(input, needed); });
  if (const Node* owner = node->owningBlock()->owningNode()) need_node(owner, needed);
}

}  // namespace

void collect_needed(const Value* value, std::unordered_set<const Node*>& needed) {
  need_node(value->node(), needed);
  for (const Node* writer : writers_of(value)) need_node(writer, needed);
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
  known_[value] = result;
  for (const Node* writer : writers_of(value))
    for (std::size_t i = 1; i < writer->inputs().size() && !result; ++i) result = depends(writer->input(i));
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
