#include "graft/backbone/thaw.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

#include "graft/backbone/inline_method.h"

namespace graft {
namespace {

namespace prim = c10::prim;
using graph::Node;
using graph::Value;
using torch::jit::Module;

constexpr std::size_t kAnyInput = std::numeric_limits<std::size_t>::max();

/// What an input of an operator is to it.
struct Role {
  std::string_view kind;
  std::size_t input;
  const char* name;
  bool is_buffer = false;
};
constexpr Role kRoles[] = {
    {"conv1d", 1, "weight"},
    {"conv1d", 2, "bias"},
    {"conv2d", 1, "weight"},
    {"conv2d", 2, "bias"},
    {"conv3d", 1, "weight"},
    {"conv3d", 2, "bias"},
    {"conv_transpose2d", 1, "weight"},
    {"conv_transpose2d", 2, "bias"},
    {"linear", 1, "weight"},
    {"linear", 2, "bias"},
    {"addmm", 0, "bias"},
    {"addmm", 2, "weight"},
    {"matmul", kAnyInput, "weight"},
    {"mm", kAnyInput, "weight"},
    {"einsum", kAnyInput, "weight"},
    {"prelu", 1, "weight"},
    {"embedding", 0, "weight"},
    {"batch_norm", 1, "weight"},
    {"batch_norm", 2, "bias"},
    {"batch_norm", 3, "running_mean", true},
    {"batch_norm", 4, "running_var", true},
    {"instance_norm", 1, "weight"},
    {"instance_norm", 2, "bias"},
    {"instance_norm", 3, "running_mean", true},
    {"instance_norm", 4, "running_var", true},
    {"layer_norm", 2, "weight"},
    {"layer_norm", 3, "bias"},
    {"group_norm", 2, "weight"},
    {"group_norm", 3, "bias"},
    {"rms_norm", 2, "weight"},
    {"add", kAnyInput, "bias"},
    {"sub", kAnyInput, "bias"},
    {"mul", kAnyInput, "scale"},
    {"div", kAnyInput, "scale"},
    {"addcmul", kAnyInput, "scale"},
    {"pow", kAnyInput, "exponent"},
    {"cat", kAnyInput, "token"},
    {"expand", 0, "token"},
    {"repeat", 0, "token"},
};
constexpr std::size_t kTrainingInput = 5;  // of batch_norm and instance_norm

/// "add" for aten::add and aten::add_, "conv2d" for what a trace writes as aten::_convolution.
std::string operator_name(const Node* node) {
  const std::string_view kind = node->kind().toUnqualString();
  if (kind == "_convolution") return "conv2d";
  return std::string(kind.ends_with('_') ? kind.substr(0, kind.size() - 1) : kind);
}

const Role* find_role(const Node* node, std::size_t input) {
  const std::string kind = operator_name(node);
  const auto* found = std::find_if(std::begin(kRoles), std::end(kRoles), [&](const Role& role) {
    return role.kind == kind && (role.input == kAnyInput || role.input == input);
  });
  return found == std::end(kRoles) ? nullptr : found;
}

/// Operators that hand a weight on to the one it serves.
constexpr std::string_view kHandsOn[] = {"ListConstruct", "to",      "t",       "transpose", "contiguous", "type_as",
                                         "permute",       "reshape", "squeeze", "unsqueeze", "view"};

struct Service {
  Node* node;
  const Role* role;  ///< nullptr where it serves no known operator
};

/// What a constant serves as, and where.
Service service_of(torch::jit::Use use) {
  while (true) {
    const bool hands_on = std::ranges::find(kHandsOn, operator_name(use.user)) != std::end(kHandsOn) &&
                          use.user->outputs().size() == 1 && use.user->output()->uses().size() == 1;
    if (!hands_on) return {use.user, find_role(use.user, use.offset)};
    use = use.user->output()->uses()[0];
  }
}

class Thawing {
 public:
  Thawing(Module& module, graph::Graph& graph) : module_(module), graph_(graph) {
    for (const Node* node : graph::all_nodes(graph.block())) places_[node] = ++counts_[operator_name(node)];
  }

  Thawed run() {
    for (Node* node : graph::all_nodes(graph_.block()))
      if (node->kind() == prim::Constant && graph::is_tensor(node->output())) thaw_constant(node->output());
    for (Node* node : graph::all_nodes(graph_.block())) free_mode(node);
    return thawed_;
  }

 private:
  using TensorKey = std::tuple<const void*, std::vector<std::int64_t>, std::vector<std::int64_t>>;
  struct Name {
    std::string module, tensor;
  };

  void thaw_constant(Value* constant) {
    const auto value = torch::jit::toIValue(constant);
    if (!value || !value->isTensor() || value->toTensor().dim() == 0 || constant->uses().empty()) return;
    const at::Tensor tensor = value->toTensor();
    const TensorKey key{tensor.const_data_ptr(), tensor.sizes().vec(), tensor.strides().vec()};
    auto known = names_.find(key);
    if (known == names_.end()) known = names_.emplace(key, add_tensor(constant, tensor)).first;
    for (const auto& use : constant->uses()) take_scope(use, known->second.module);
    torch::jit::WithInsertPoint at_constant(constant->node());
    Value* owner = graph_.insertGetAttr(graph_.inputs()[0], known->second.module);
    constant->replaceAllUsesWith(graph_.insertGetAttr(owner, known->second.tensor));
  }

  /// The operator that a parameter serves belongs to the parameter's module from here on.
  static void take_scope(const torch::jit::Use& use, const std::string& module) {
    const Service service = service_of(use);
    if (service.role != nullptr) graph::set_scope(service.node, module);
  }

  Name add_tensor(const Value* constant, const at::Tensor& tensor) {
    const auto [node, found] = service_of(constant->uses()[0]);
    const Role* role = tensor.is_floating_point() ? found : nullptr;
    const std::string owner = role == nullptr ? "constants" : place_name(node);
    Module module = submodule(owner);
    std::string name = role == nullptr ? "c" + std::to_string(thawed_.buffers) : role->name;
    while (module.hasattr(name)) name += "_2";  // two operands of one operator
    const bool is_buffer = role == nullptr || role->is_buffer;
    module.register_parameter(name, tensor.clone(), is_buffer);
    ++(is_buffer ? thawed_.buffers : thawed_.parameters);
    return {owner, name};
  }

  std::string place_name(const Node* node) { return operator_name(node) + "_" + std::to_string(places_.at(node)); }

  Module submodule(const std::string& name) {
    if (module_.hasattr(name)) return module_.attr(name).toModule();
    Module module("__torch__.graft.thawed." + name, module_._ivalue()->compilation_unit(), true);
    module_.register_module(name, module);
    return module;
  }

  void free_mode(Node* node) {
    const std::string name = operator_name(node);
    if ((name != "batch_norm" && name != "instance_norm") || graph::normalises_by_its_input(node)) return;
    ++thawed_.batch_norms;
    if (node->input(kTrainingInput)->node()->kind() != prim::Constant) return;
    const std::string owner = place_name(node);
    Module module = submodule(owner);
    if (!module.hasattr("training")) module.register_attribute("training", c10::BoolType::get(), false);
    torch::jit::WithInsertPoint before(node);
    Value* self = graph_.insertGetAttr(graph_.inputs()[0], owner);
    node->replaceInput(kTrainingInput, graph_.insertGetAttr(self, "training"));
  }

  Module& module_;
  graph::Graph& graph_;
  std::unordered_map<const Node*, int> places_;
  std::map<std::string, int> counts_;
  std::map<TensorKey, Name> names_;
  Thawed thawed_;
};

}  // namespace

bool is_frozen(graph::Graph& graph) {
  const auto multiplies_with_constant = [](const Node* node) {
    const std::string kind = operator_name(node);
    return (kind == "conv2d" || kind == "linear") && node->input(1)->node()->kind() == prim::Constant;
  };
  return std::ranges::any_of(graph::all_nodes(graph.block()), multiplies_with_constant);
}

Thawed thaw(Module& module, const std::shared_ptr<graph::Graph>& graph) {
  Thawed thawed = Thawing(module, *graph).run();
  graph::refine_scopes(*graph);
  graph->lint();
  return thawed;
}

}  // namespace graft
