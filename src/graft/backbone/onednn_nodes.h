#pragma once
#include <unordered_map>
#include <vector>

#include "graft/backbone/graph.h"
#include "graft/backbone/known_tensors.h"
#include "graft/backbone/onednn_program.h"

namespace graft::graph {

/// A layer that oneDNN computes, and the tensors that it points into.
struct OneDnnLayer {
  OneDnnStep step{};
  at::Tensor weight{}, bias{};
};

/// Maps of as many rows as will run.
OneDnnMaps maps_of(const Value* value, const KnownTensors& known);

/// Layers of a graph as oneDNN's programs.
class OneDnnNodes {
 public:
  OneDnnNodes(Graph& graph, KnownTensors& known) : graph_(graph), known_(known) {}

  /// The kind of a node that stands for a layer until it is joined: its inputs are what flows in, and what is added to
  /// the result, where something is.
  static c10::Symbol layer_kind();
  void describe(const Node* node, OneDnnLayer layer) { layers_[node] = std::move(layer); }

  /// Makes programs of all layers that follow each other with nothing computed in between: one program for those that
  /// run on equally many rows at once.
  void join();

 private:
  std::vector<std::vector<Node*>> parts_by_rows(const std::vector<Node*>& nodes) const;
  std::int64_t rows_at_once(const Node* node) const;
  void replace_by_program(const std::vector<Node*>& nodes);

  Graph& graph_;
  KnownTensors& known_;
  std::unordered_map<const Node*, OneDnnLayer> layers_{};
};

}  // namespace graft::graph
