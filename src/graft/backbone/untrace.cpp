#include "graft/backbone/untrace.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "graft/backbone/graph.h"

namespace graft {
namespace {

using torch::jit::Graph;
using torch::jit::Node;

/// Operators with a mode, and the input that holds it.
struct ModalOperator {
  std::string_view kind;
  std::size_t mode_input;
  int Untraced::*count;
};
constexpr ModalOperator kModalOperators[] = {
    {"aten::batch_norm", 5, &Untraced::batch_norms},   {"aten::instance_norm", 5, &Untraced::batch_norms},
    {"aten::dropout", 2, &Untraced::dropouts},         {"aten::dropout_", 2, &Untraced::dropouts},
    {"aten::feature_dropout", 2, &Untraced::dropouts}, {"aten::alpha_dropout", 2, &Untraced::dropouts},
};

void untrace_method(const c10::ClassType& type, Graph& graph, Untraced& counts) {
  for (Node* node : graph::all_nodes(graph.block())) {
    const auto* modal =
        std::find_if(std::begin(kModalOperators), std::end(kModalOperators),
                     [&](const auto& candidate) { return candidate.kind == node->kind().toQualString(); });
    if (modal == std::end(kModalOperators) || node->input(modal->mode_input)->node()->kind() != c10::prim::Constant ||
        graph::normalises_by_its_input(node))
      continue;
    if (!type.hasAttribute("training")) {
      ++counts.stuck;
      continue;
    }
    torch::jit::WithInsertPoint before(node);
    node->replaceInput(modal->mode_input, graph.insertGetAttr(graph.inputs()[0], "training"));
    ++(counts.*(modal->count));
  }
}

}  // namespace

Untraced untrace(torch::jit::Module& module) {
  Untraced counts;
  std::unordered_set<const c10::ClassType*> seen;
  for (const auto& submodule : module.modules()) {
    const auto type = submodule.type();
    if (!seen.insert(type.get()).second) continue;
    for (torch::jit::Function* method : type->methods()) {
      auto* function = torch::jit::tryToGraphFunction(*method);
      if (function == nullptr || function->graph()->inputs().empty()) continue;
      const auto graph = function->graph();
      untrace_method(*type, *graph, counts);
      torch::jit::EliminateDeadCode(graph);
    }
  }
  return counts;
}

}  // namespace graft
