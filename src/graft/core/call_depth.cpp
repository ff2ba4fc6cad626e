#include "graft/core/call_depth.h"

#include <algorithm>
#include <vector>

namespace graft {
namespace {

/// Strongly connected components in reverse topological order (Tarjan, SIAM J. Comput. 1972) with a stack of its own:
/// what is measured here would overflow the program's.
class Components {
 public:
  Components(const std::vector<std::vector<std::size_t>>& edges, const std::vector<std::int64_t>& weights)
      : edges_(edges), weights_(weights), order_(edges.size()), low_(edges.size()), depth_(edges.size(), -1) {}

  std::int64_t deepest() {
    for (std::size_t node = 0; node < edges_.size(); ++node)
      if (order_[node] == 0) visit(node);
    return depth_.empty() ? 0 : *std::max_element(depth_.begin(), depth_.end());
  }

 private:
  struct Frame {
    std::size_t node, next;
  };

  void enter(std::size_t node) {
    order_[node] = low_[node] = ++counter_;
    open_.push_back(node);
    frames_.push_back({node, 0});
  }

  void visit(std::size_t root) {
    enter(root);
    while (!frames_.empty()) {
      const auto [node, next] = frames_.back();
      if (next < edges_[node].size()) {
        ++frames_.back().next;
        const std::size_t to = edges_[node][next];
        if (order_[to] == 0)
          enter(to);
        else if (depth_[to] < 0)
          low_[node] = std::min(low_[node], order_[to]);
        continue;
      }
      frames_.pop_back();
      if (!frames_.empty()) low_[frames_.back().node] = std::min(low_[frames_.back().node], low_[node]);
      if (low_[node] == order_[node]) close(node);
    }
  }

  void close(std::size_t root) {
    const auto first = std::find(open_.rbegin(), open_.rend(), root).base() - 1;
    std::int64_t weight = 0, below = 0;
    for (auto node = first; node != open_.end(); ++node) {
      weight += weights_[*node];
      for (const std::size_t to : edges_[*node]) below = std::max(below, depth_[to]);
    }
    for (auto node = first; node != open_.end(); ++node) depth_[*node] = weight + below;
    open_.erase(first, open_.end());
  }

  const std::vector<std::vector<std::size_t>>& edges_;
  const std::vector<std::int64_t>& weights_;
  std::vector<std::size_t> order_, low_, open_;
  std::vector<std::int64_t> depth_;  // -1: its component is not closed yet
  std::vector<Frame> frames_;
  std::size_t counter_ = 0;
};

}  // namespace

std::int64_t call_depth(const std::map<std::string, Definition>& definitions) {
  std::map<std::string, std::size_t> numbers;
  for (const auto& [name, definition] : definitions) numbers.emplace(name, numbers.size());
  std::vector<std::vector<std::size_t>> edges;
  std::vector<std::int64_t> weights;
  for (const auto& [name, definition] : definitions) {
    weights.push_back(std::max<std::int64_t>(1, definition.functions));
    edges.emplace_back();
    for (std::string mentioned : definition.mentions) {
      while (!numbers.contains(mentioned) && mentioned.find('.') != std::string::npos)
        mentioned.erase(mentioned.rfind('.'));
      if (const auto found = numbers.find(mentioned); found != numbers.end()) edges.back().push_back(found->second);
    }
  }
  return Components(edges, weights).deepest();
}

}  // namespace graft
