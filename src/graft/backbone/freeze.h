#pragma once
#include "graft/backbone/graph.h"

namespace graft::graph {

/// Folds what a part of a network reads from its module into constants, as they are now and in eval mode: (self, rows)
/// becomes (rows). Weights are copies, those of convolutions channels_last.
std::shared_ptr<Graph> freeze(const std::shared_ptr<Graph>& part, const torch::jit::Module& self);

}  // namespace graft::graph
