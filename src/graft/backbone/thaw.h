#pragma once
#include "graft/backbone/graph.h"

namespace graft {

/// What thawing found in a frozen file.
struct Thawed {
  int parameters = 0;   ///< constants that became parameters
  int buffers = 0;      ///< running statistics and tables that became buffers
  int batch_norms = 0;  ///< BatchNorms left; a network that had more has them folded into its convolutions for good
};

/// Whether a convolution or linear layer of the graph multiplies with a constant: torch.jit.freeze has been there. It
/// may have left other modules as they were.
bool is_frozen(graph::Graph& graph);

/// Makes the weights of a frozen file parameters again. Freezing has put them into the graph as constants and dropped
/// their names: each gets the name of the operator that multiplies, adds or normalises with it and of its place among
/// operators of that kind, such as conv2d_3.weight. BatchNorms read a `training` flag again. What has no such role
/// (index tables, masks) becomes a buffer of the module `constants`. One tensor under several constants is one
/// parameter. Answers stay the same bit for bit. Call it before the first run of the graph.
Thawed thaw(torch::jit::Module& module, const std::shared_ptr<graph::Graph>& graph);

}  // namespace graft
