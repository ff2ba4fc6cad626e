#pragma once
#include "graft/backbone/graph.h"

namespace graft::graph {

/// Replaces a prim::If by one of its branches.
void take_branch(Node* node, bool taken);

/// Takes every branch whose condition is known: it depends on the module alone and not on its mode, or it asks whether
/// a value is itself. Results of a branch that are the same on both sides become that value. Drops checks that only
/// raise, and what nobody reads afterwards.
void resolve_branches(const std::shared_ptr<Graph>& graph, const torch::jit::Module& self);

}  // namespace graft::graph
