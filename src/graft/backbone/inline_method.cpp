#include "graft/backbone/inline_method.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <algorithm>

#include "graft/backbone/branches.h"
#include "graft/core/error.h"
#include "graft/core/names.h"

namespace graft::graph {
namespace {

namespace prim = c10::prim;
namespace attr = c10::attr;
using torch::jit::GraphFunction;
using torch::jit::ScopePtr;

ScopePtr scope_of_path(const std::string& path) {
  auto root = c10::make_intrusive<torch::jit::Scope>();
  return path.empty() ? root : root->push(c10::Symbol::scope(path));
}

void set_scope(Node* node, const ScopePtr& scope) {
  node->setScope(scope);
  for (Block* block : node->blocks())
    for (Node* inner : block->nodes()) set_scope(inner, scope);
}

GraphFunction* called_function(Node* call) {
  if (call->kind() == prim::CallFunction) return torch::jit::tryToGraphFunction(call);
  const auto type = call->input(0)->type()->cast<c10::ClassType>();
  return type ? torch::jit::tryToGraphFunction(type->getMethod(call->s(attr::name))) : nullptr;
}

/// A method of a module runs at that module's path; functions and methods of other objects run where they are called.
ScopePtr scope_of_call(Node* call) {
  if (call->kind() != prim::CallMethod || !call->input(0)->type()->expectRef<c10::ClassType>().is_module())
    return call->scope();
  const auto path = attribute_path(call->input(0));
  return path ? scope_of_path(*path) : call->scope();
}

/// inlineCallTo() would note the called function in every node. Its pointer dangles once the module's methods are
/// removed, and the interpreter follows it when an operator throws.
void replace_call(Node* call, GraphFunction& callee) {
  const torch::jit::WithInsertPoint at_call(call);
  const auto results = torch::jit::insertGraph(*call->owningGraph(), *callee.graph()->copy(), call->inputs());
  for (std::size_t i = 0; i < results.size(); ++i) call->outputs()[i]->replaceAllUsesWith(results[i]);
}

void inline_calls(Block* block) {
  for (Node* node = *block->nodes().begin(); node != block->return_node();) {
    const bool is_call = node->kind() == prim::CallMethod || node->kind() == prim::CallFunction;
    GraphFunction* callee = is_call ? called_function(node) : nullptr;
    if (callee == nullptr) {
      for (Block* inner : node->blocks()) inline_calls(inner);
      node = node->next();
      continue;
    }
    Node* before = node->prev();
    Node* after = node->next();
    const ScopePtr scope = scope_of_call(node);
    if (node->kind() == prim::CallFunction) node->removeInput(0);  // the function itself
    replace_call(node, *callee);
    node->destroy();
    for (Node* inlined = before->next(); inlined != after; inlined = inlined->next()) set_scope(inlined, scope);
    node = before->next();  // what was inlined may call in its turn
  }
}

void insert_defaults(Graph& graph, const c10::FunctionSchema& schema, const std::string& subject) {
  const auto& arguments = schema.arguments();
  for (std::size_t i = graph.inputs().size(); i-- > 2;) {
    const auto& argument = arguments.at(i);
    if (!argument.default_value())
      throw Error({subject, "its forward needs the argument '" + argument.name() + "' beside the images",
                   "forward(images)", "script a wrapper whose forward takes the images alone"});
    torch::jit::WithInsertPoint at_start(*graph.block()->nodes().begin());
    Value* constant = graph.insertConstant(*argument.default_value());
    if (argument.default_value()->isNone()) constant->setType(argument.type());
    graph.inputs()[i]->replaceAllUsesWith(constant);
    graph.eraseInput(i);
  }
}

std::string method_list(const torch::jit::Module& module) {
  std::vector<std::string> names;
  for (const auto& method : module.get_methods()) names.push_back(method.name());
  return names.empty() ? "" : ", only " + join(names);
}

/// The images are a tensor, or an optional one that is always given.
void take_tensor(Graph& graph, const std::string& subject) {
  Value* images = graph.inputs()[1];
  const auto optional = images->type()->cast<c10::OptionalType>();
  const auto type = optional ? optional->getElementType() : images->type();
  if (!type->isSubtypeOf(*c10::TensorType::get()))
    throw Error({subject, "its forward takes a " + images->type()->annotation_str(), "a tensor [N, 3, S, S]",
                 "script a wrapper whose forward takes the images as one tensor"});
  images->setType(type);
}

}  // namespace

void set_scope(Node* node, const std::string& path) { set_scope(node, scope_of_path(path)); }

void refine_scopes(Graph& graph) {
  for (Node* node : graph.nodes()) {
    if (is_trivial(node)) continue;
    for_each_input(node, [&](const Value* value) {
      const auto path = may_be_tensor(value) ? attribute_path(value) : std::nullopt;
      const std::string module = path ? parent_path(*path) : "";
      const std::string scope = node->scopeName();
      if (!module.empty() && (scope.empty() || module.starts_with(scope + "."))) node->setScope(scope_of_path(module));
    });
  }
}

std::shared_ptr<Graph> inline_method(const torch::jit::Module& module, const std::string& name,
                                     const std::string& subject) {
  const auto method = module.find_method(name);
  if (!method)
    throw Error({subject, "has no method " + name + method_list(module), "a module whose forward takes images",
                 "script a wrapper whose forward calls the right one"});
  auto graph = method->graph()->copy();
  if (graph->inputs().size() < 2)
    throw Error({subject, "its forward takes no argument", "forward(images)",
                 "script a wrapper whose forward takes the images"});
  take_tensor(*graph, subject);
  insert_defaults(*graph, method->function().getSchema(), subject);
  inline_calls(graph->block());
  torch::jit::ConstantPropagation(graph);
  resolve_branches(graph, module);
  refine_scopes(*graph);
  return graph;
}

}  // namespace graft::graph
