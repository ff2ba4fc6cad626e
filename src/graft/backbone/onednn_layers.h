#pragma once
#include "graft/backbone/graph.h"

namespace graft::graph {

/// Rewrites convolutions and linear layers with constant weights as oneDNN computes them best: weights packed for the
/// size that flows, and the activation, or the addition and activation, that follows done while the result is still in
/// the processor's registers. Padding before a convolution goes into it. What it does not know stays as it is.
/// @param two_rows  the graph's inputs, two rows among them: it runs once, to learn the sizes
/// @param rows  that it will run on as a rule: weights are packed for so many
/// @throws c10::Error where LibTorch has no oneDNN
void use_onednn(const std::shared_ptr<Graph>& graph, const torch::jit::Stack& two_rows, std::int64_t rows);

}  // namespace graft::graph
