#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "graft/backbone/graph.h"

namespace graft::graph {

/// A place in the graph where exactly one tensor that depends on the image crosses: what runs before it is a function
/// of the image alone, what runs after it needs that tensor alone.
struct Boundary {
  std::size_t node =
      0;  ///< index, among the graph's top nodes, of the last one before the boundary; it makes the crossing tensor
  std::size_t output = 0;  ///< which of that node's outputs crosses
  std::string name;        ///< the outermost module that ends there, "" when none does
};

/// All legal boundaries in order; the last is the graph's own output.
std::vector<Boundary> find_boundaries(const Graph& graph);

/// For every parameter or buffer path that the graph reads, the index of the first top node that computes with it.
std::unordered_map<std::string, std::size_t> first_uses(const Graph& graph);

/// How many convolutions and matrix products the top nodes `begin` to `end` - 1 hold.
std::int64_t count_layers(const Graph& graph, std::size_t begin, std::size_t end);

/// The part before a boundary: (self, images) -> crossing tensor.
std::shared_ptr<Graph> prefix_of(const std::shared_ptr<Graph>& graph, const Boundary& boundary);
/// The part between two boundaries: (self, tensor crossing `from`) -> tensor crossing `to`. It may write to its input
/// (in-place activations).
std::shared_ptr<Graph> between(const std::shared_ptr<Graph>& graph, const Boundary& from, const Boundary& to);

}  // namespace graft::graph
