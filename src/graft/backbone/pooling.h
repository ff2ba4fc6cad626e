#pragma once
#include <string>
#include <vector>

#include "graft/backbone/graph.h"
#include "graft/core/json.h"

namespace graft {

/// The recipe's backbone.pool, a name of the table with its options: how feature maps and token sequences become
/// vectors.
struct PoolSpec {
  std::string name = "avg";
  Json options = Json::object();  ///< as read: every option; by hand: some may be left out
};
/// In the table's order: timm's SelectAdaptivePool2d, and gem.
const std::vector<std::string>& pool_names();
PoolSpec read_pool_spec(const Json& value, const std::string& path, std::vector<Problem>& problems);
Json to_json(const PoolSpec& spec);

namespace graph {

/// Lets the graph return its pooled output, and gives the module what that needs (gem: the parameter gem_p).
/// @param over  the dimensions that are pooled away
/// @return how many vectors of channels stand side by side: 1, or 2 of catavgmax
std::int64_t append_pooling(Graph& graph, torch::jit::Module& self, const PoolSpec& spec,
                            const std::vector<std::int64_t>& over);

}  // namespace graph
}  // namespace graft
