#pragma once
#include "graft/backbone/graph.h"

namespace graft::graph {

/// A copy of one of the module's methods as one flat graph (self, images): every call inlined with the dotted module
/// path as the scope of its nodes, optional arguments replaced by their defaults, constants propagated, branches that
/// depend on the module alone resolved (those on `training` are kept), checks that only raise dropped. The module
/// itself is not changed.
/// @throws Error when the method is absent or needs more than one argument.
std::shared_ptr<Graph> inline_method(const torch::jit::Module& module, const std::string& name,
                                     const std::string& subject);

/// Says which module a node belongs to.
void set_scope(Node* node, const std::string& path);

/// Gives every node that reads a module's tensor that module's scope, whoever wrote the call: functional code, or a
/// file whose calls were inlined when it was saved.
void refine_scopes(Graph& graph);

}  // namespace graft::graph
