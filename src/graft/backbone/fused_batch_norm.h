#pragma once
#include "graft/backbone/graph.h"

namespace graft::graph {

/// Makes one operator of each BatchNorm with running statistics and the ReLU, ReLU6 or Hardtanh that alone reads it,
/// also where a shortcut is added in between, as at the end of a residual block. Where maps are in channels_last on the
/// CPU it passes over them twice forward and twice backward, where LibTorch's two operators take seven passes, and its
/// three a dozen; everywhere else it is those. A file that holds such a graph runs nowhere else: it is for training.
void fuse_batch_norms(Graph& graph);

}  // namespace graft::graph
