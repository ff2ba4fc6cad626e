#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "graft/backbone/boundary.h"

namespace graft {

/// A run of layers that ends at a legal boundary: what `last:N` and `first:N` count.
struct Stage {
  std::string name;          ///< the module that it consists of, or the last of those merged into it
  std::size_t boundary = 0;  ///< where it ends, as Backbone counts boundaries
  std::vector<std::string> parameters;
};

namespace graph {

/// Starts from the top-level modules in the order in which data meets them; one that holds more than half of all legal
/// boundaries is replaced by its children, again and again. Only modules with a weight of two dimensions or more count:
/// a normalisation, an activation or a pooling belongs to the stage before it. Modules that no boundary parts are one
/// stage.
/// @param parameters  path -> number of dimensions, of the parameters that the graph reads
std::vector<Stage> find_stages(const Graph& graph, const std::vector<Boundary>& boundaries,
                               const std::vector<std::pair<std::string, std::int64_t>>& parameters);

}  // namespace graph
}  // namespace graft
