#pragma once
#include "graft/backbone/graph.h"

namespace graft::graph {

/// What to do where attention has a path without a gradient beside one with it, and chooses when it runs.
enum class TwoPaths {
  kKeep,     ///< answers stay the same bit for bit
  kTrained,  ///< the one with a gradient alone: freezing gives each path views of the weights of its own
};

/// PyTorch computes attention by operators that have no gradient where none is asked for: so they stand in what is
/// traced under torch.no_grad(), or scripted and then frozen. Writes them as the operators that they stand for, which
/// have one; answers differ by rounding. `image_size` is a side in pixels that the network takes. Returns how many
/// could be.
int use_differentiable_attention(const std::shared_ptr<Graph>& graph, const torch::jit::Module& self, TwoPaths choice,
                                 int image_size);

}  // namespace graft::graph
