#include "graft/backbone/branches.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

namespace graft::graph {
namespace {

namespace prim = c10::prim;

std::optional<c10::IValue> constant_of(const Value* value) {
  return value->node()->kind() == prim::Constant ? torch::jit::toIValue(value) : std::nullopt;
}

/// Whether two values are one, or constants of one content; tensors are compared as values alone.
bool are_same(const Value* left, const Value* right) {
  if (left == right) return true;
  const auto first = constant_of(left), second = constant_of(right);
  if (!first || !second || first->isTensor() || second->isTensor() || *left->type() != *right->type()) return false;
  return *first == *second;
}

/// A value that both blocks of a branch return as their result `index`, and that may stand behind the branch.
Value* common_result(Node* node, std::size_t index) {
  Value* left = node->blocks()[0]->outputs()[index];
  Value* right = node->blocks()[1]->outputs()[index];
  if (!are_same(left, right)) return nullptr;
  const Block* home = left->node()->owningBlock();
  if (home != node->blocks()[0] && home != node->blocks()[1]) return left;
  if (left->node()->kind() != prim::Constant) return nullptr;  // computed within
  left->node()->moveBefore(node);
  return left;
}

/// A result of the branch before `index` that is the same as it, whichever side is taken.
Value* earlier_twin(Node* node, std::size_t index) {
  for (std::size_t i = 0; i < index; ++i) {
    bool same = true;
    for (Block* block : node->blocks()) same = same && block->outputs()[i] == block->outputs()[index];
    if (same) return node->outputs()[i];
  }
  return nullptr;
}

bool merge_results(Node* node) {
  bool changed = false;
  for (std::size_t i = node->outputs().size(); i-- > 0;) {
    Value* instead = common_result(node, i);
    if (instead == nullptr) instead = earlier_twin(node, i);
    if (instead == nullptr) continue;
    node->outputs()[i]->replaceAllUsesWith(instead);
    for (Block* block : node->blocks()) block->eraseOutput(i);
    node->eraseOutput(i);
    changed = true;
  }
  return changed;
}

bool settle_identity(Graph& graph, Node* node) {
  const bool is = node->kind() == c10::aten::__is__;
  if ((!is && node->kind() != c10::aten::__isnot__) || node->input(0) != node->input(1)) return false;
  torch::jit::WithInsertPoint before(node);
  node->output()->replaceAllUsesWith(graph.insertConstant(is));
  node->destroy();
  return true;
}

std::optional<bool> known_condition(const Graph& graph, const torch::jit::Module& self, const Node* branch) {
  if (InputDependence(graph).depends(branch->input(0))) return std::nullopt;
  ModuleEvaluator evaluator(graph, self);
  const auto condition = evaluator.evaluate(branch->input(0));
  if (!condition || evaluator.read_training()) return std::nullopt;
  return condition->toBool();
}

bool resolve_once(Block* block, Graph& graph, const torch::jit::Module& self) {
  bool changed = false;
  for (Node* node = *block->nodes().begin(); node != block->return_node();) {
    Node* before = node->prev();
    const auto condition = node->kind() == prim::If ? known_condition(graph, self, node) : std::nullopt;
    if (condition) {
      take_branch(node, *condition);
      node = before->next();
      changed = true;
      continue;
    }
    for (Block* inner : node->blocks()) changed = resolve_once(inner, graph, self) || changed;
    if (node->kind() == prim::If) changed = merge_results(node) || changed;
    Node* next = node->next();
    changed = settle_identity(graph, node) || changed;
    node = next;
  }
  return changed;
}

bool only_raises(const Node* node) {
  if (node->kind() != prim::If || !node->outputs().empty()) return false;
  for (const Block* block : node->blocks())
    for (const Node* inner : block->nodes())
      if (inner->kind() == prim::RaiseException) return true;
  return false;
}

void drop_checks(Block* block) {
  for (Node* node = *block->nodes().begin(); node != block->return_node();) {
    Node* next = node->next();
    if (only_raises(node))
      node->destroy();
    else
      for (Block* inner : node->blocks()) drop_checks(inner);
    node = next;
  }
}

}  // namespace

void take_branch(Node* node, bool taken) {
  Block* block = node->blocks()[taken ? 0 : 1];
  while (*block->nodes().begin() != block->return_node()) (*block->nodes().begin())->moveBefore(node);
  for (std::size_t i = 0; i < node->outputs().size(); ++i) node->outputs()[i]->replaceAllUsesWith(block->outputs()[i]);
  node->destroy();
}

void resolve_branches(const std::shared_ptr<Graph>& graph, const torch::jit::Module& self) {
  while (resolve_once(graph->block(), *graph, self)) {
  }
  drop_checks(graph->block());
  torch::jit::EliminateDeadCode(graph);
}

}  // namespace graft::graph
