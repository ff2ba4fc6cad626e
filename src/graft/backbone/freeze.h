#pragma once
#include "graft/backbone/graph.h"

namespace graft::graph {

/// Folds what a part of a network reads from its module into constants, as they are now and in eval mode: (self, rows)
/// stays the signature, because a network may keep attributes of its own while it runs; nothing else is read from self.
/// Weights are copies, those of four dimensions in the layout given.
std::shared_ptr<Graph> freeze(const std::shared_ptr<Graph>& part, const torch::jit::Module& self,
                              at::MemoryFormat layout);

}  // namespace graft::graph
