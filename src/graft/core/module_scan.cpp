#include "graft/core/module_scan.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>
#include <unordered_map>

#include "graft/core/operator_table.h"

namespace graft {
namespace {

using torch::jit::Block;
using torch::jit::Function;
using torch::jit::Node;

/// Once every call is unfolded; networks reach some ten thousand.
constexpr std::int64_t kMaxNodes = 3'000'000;

Function* called_function(const Node& node) {
  if (node.kind() == c10::prim::CallFunction) {
    const auto type = node.inputs().at(0)->type()->cast<c10::FunctionType>();
    return type ? type->function() : nullptr;
  }
  const auto type = node.inputs().at(0)->type()->cast<c10::ClassType>();
  return type ? type->findMethod(node.s(c10::attr::name)) : nullptr;
}

/// Walks functions, each once, into their blocks and calls.
class OperatorScan {
 public:
  void scan(Function& function) { size_of(function); }
  const std::optional<Refusal>& refusal() const { return refusal_; }

 private:
  void refuse(const std::string& found, Refusal::Kind kind = Refusal::Kind::kOperator) {
    if (!refusal_ || kind < refusal_->kind) refusal_ = {kind, found};
  }

  /// Nodes of a function with its calls unfolded. Calls are at most as deep as scan_sources lets them be.
  std::int64_t size_of(Function& function) {
    const auto [known, is_new] = sizes_.emplace(&function, -1);
    if (!is_new) {
      if (known->second < 0) refuse("its function " + function.name() + " calls itself");
      return std::max<std::int64_t>(known->second, 1);
    }
    std::int64_t size = 1;
    if (const auto* graph_function = torch::jit::tryToGraphFunction(function))
      size = block_size(*graph_function->graph()->block());
    if (size > kMaxNodes) refuse("its function " + function.name() + " unfolds to millions of operators");
    return sizes_[&function] = std::min(size, kMaxNodes + 1);
  }

  std::int64_t block_size(const Block& block) {
    std::int64_t size = 0;
    for (const Node* node : block.nodes()) {
      check(*node);
      ++size;
      if (node->kind() == c10::prim::CallMethod || node->kind() == c10::prim::CallFunction) {
        Function* called = called_function(*node);
        if (called == nullptr)
          refuse("its program calls through an interface");
        else
          size += size_of(*called);
      }
      for (const Block* inner : node->blocks()) size += block_size(*inner);
      size = std::min(size, kMaxNodes + 1);
    }
    return size;
  }

  void check(const Node& node) {
    const std::string space = node.kind().ns().toUnqualString();
    const std::string name = node.kind().toUnqualString();
    if (is_allowed_operator(space, name)) return;
    const std::string shown = space + "::" + name;
    if (is_quantised_operator(space, name)) return refuse("is quantised (" + shown + ")", Refusal::Kind::kQuantised);
    if (is_inference_only_operator(space, name))
      return refuse("was made by optimize_for_inference (" + shown + ")", Refusal::Kind::kOptimised);
    refuse("its program uses the operator " + shown);
  }

  std::unordered_map<const Function*, std::int64_t> sizes_;  // -1: being walked
  std::optional<Refusal> refusal_;
};

bool conforms(const c10::IValue& value, const c10::TypePtr& type);

bool object_conforms(const c10::IValue& value, const c10::TypePtr& type) {
  if (!value.isObject() || value.toObject()->type().get() != type.get()) return false;
  const auto object = value.toObject();
  if (object->slots().size() < object->type()->numAttributes()) return false;
  for (std::size_t i = 0; i < object->type()->numAttributes(); ++i)
    if (!conforms(object->getSlot(i), object->type()->getAttribute(i))) return false;
  return true;
}

bool tuple_conforms(const c10::IValue& value, const c10::TypePtr& type) {
  const auto types = type->expectRef<c10::TupleType>().elements();
  if (!value.isTuple() || value.toTupleRef().elements().size() != types.size()) return false;
  for (std::size_t i = 0; i < types.size(); ++i)
    if (!conforms(value.toTupleRef().elements()[i], types[i])) return false;
  return true;
}

/// LibTorch takes a slot's value for what the slot is declared to be, and reads past its end where it is less.
bool conforms(const c10::IValue& value, const c10::TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::ClassType:
      return object_conforms(value, type);
    case c10::TypeKind::TupleType:
      return tuple_conforms(value, type);
    case c10::TypeKind::TensorType:
      return value.isTensor();
    case c10::TypeKind::OptionalType:
      return value.isNone() || conforms(value, type->expectRef<c10::OptionalType>().getElementType());
    case c10::TypeKind::ListType: {
      if (!value.isList()) return false;
      const auto& element = type->expectRef<c10::ListType>().getElementType();
      const auto list = value.toListRef();
      return std::all_of(list.begin(), list.end(), [&](const auto& item) { return conforms(item, element); });
    }
    case c10::TypeKind::DictType: {
      if (!value.isGenericDict()) return false;
      const auto& dict_type = type->expectRef<c10::DictType>();
      for (const auto& item : value.toGenericDict())
        if (!conforms(item.key(), dict_type.getKeyType()) || !conforms(item.value(), dict_type.getValueType()))
          return false;
      return true;
    }
    default:
      return value.type()->isSubtypeOf(*type);
  }
}

}  // namespace

std::optional<Refusal> scan_module(const torch::jit::Module& module) {
  if (!conforms(module._ivalue(), module.type()))
    return Refusal{Refusal::Kind::kOperator, "holds an attribute that is not of the type its program declares"};
  OperatorScan operators;
  for (Function* function : module._ivalue()->compilation_unit()->get_functions()) operators.scan(*function);
  return operators.refusal();
}

}  // namespace graft
