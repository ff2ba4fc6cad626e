#pragma once
#include "graft/backbone/graph.h"

namespace graft::graph {

/// Hands to oneDNN what it computes well: convolutions and linear layers with constant weights, with the activation, or
/// the addition and activation, that follows, and pools. Weights are packed, padding before a convolution goes into it,
/// and layers of maps that follow each other run as one program. What it does not know stays as it is.
/// @param two_rows  the graph's inputs, two rows among them: it runs once, to learn sizes and types
/// @param rows  that it will run on; maps of other sizes are an error from then on
/// @throws c10::Error where LibTorch has no oneDNN, std::exception where the system's cannot compile a program
void use_onednn(const std::shared_ptr<Graph>& graph, const torch::jit::Stack& two_rows, std::int64_t rows);

}  // namespace graft::graph
