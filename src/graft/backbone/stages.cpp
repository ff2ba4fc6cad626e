#include "graft/backbone/stages.h"

#include <algorithm>
#include <set>

#include "graft/core/names.h"

namespace graft::graph {
namespace {

/// A module on its way to become a stage: its path and the first top node that runs in it.
struct Unit {
  std::string path;
  std::size_t start = 0;
};

class StageFinder {
 public:
  StageFinder(const Graph& graph, const std::vector<Boundary>& boundaries,
              const std::vector<std::pair<std::string, std::int64_t>>& parameters)
      : boundaries_(boundaries), parameters_(parameters) {
    for (const Node* node : graph.nodes()) scopes_.push_back(is_trivial(node) ? "" : node->scopeName());
  }

  std::vector<Unit> units() const {
    auto units = children("");
    for (std::size_t i = 0; i < units.size();) {
      const std::size_t end = i + 1 < units.size() ? units[i + 1].start : scopes_.size();
      auto inner = 2 * boundaries_within(units[i].start, end) > boundaries_.size() ? children(units[i].path)
                                                                                   : std::vector<Unit>{};
      if (inner.empty()) {
        ++i;
        continue;
      }
      units.erase(units.begin() + static_cast<std::ptrdiff_t>(i));
      units.insert(units.begin() + static_cast<std::ptrdiff_t>(i), inner.begin(), inner.end());
      i = 0;
    }
    return units;
  }

  /// One past the index of the last boundary before `end`, 0 when there is none.
  std::size_t boundary_before(std::size_t end) const {
    const auto found = std::lower_bound(boundaries_.begin(), boundaries_.end(), end,
                                        [](const Boundary& b, std::size_t node) { return b.node < node; });
    return static_cast<std::size_t>(found - boundaries_.begin());
  }

 private:
  std::size_t boundaries_within(std::size_t begin, std::size_t end) const {
    return boundary_before(end) - boundary_before(begin);
  }

  bool has_matrix(const std::string& module) const {
    return std::any_of(parameters_.begin(), parameters_.end(), [&](const auto& parameter) {
      return parameter.second >= 2 && parameter.first.starts_with(module + ".");
    });
  }

  std::vector<Unit> children(const std::string& parent) const {
    std::vector<Unit> found;
    std::set<std::string> seen;
    const std::size_t skip = parent.empty() ? 0 : parent.size() + 1;
    for (std::size_t i = 0; i < scopes_.size(); ++i) {
      if (scopes_[i].size() <= skip || !is_within(scopes_[i], parent)) continue;
      const std::string child = scopes_[i].substr(0, scopes_[i].find('.', skip));
      if (seen.insert(child).second && has_matrix(child)) found.push_back({child, i});
    }
    return found;
  }

  const std::vector<Boundary>& boundaries_;
  const std::vector<std::pair<std::string, std::int64_t>>& parameters_;
  std::vector<std::string> scopes_;
};

}  // namespace

std::vector<Stage> find_stages(const Graph& graph, const std::vector<Boundary>& boundaries,
                               const std::vector<std::pair<std::string, std::int64_t>>& parameters) {
  const StageFinder finder(graph, boundaries, parameters);
  const auto units = finder.units();
  std::vector<Stage> stages;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const bool last = i + 1 == units.size();
    const std::size_t boundary = last ? boundaries.size() : finder.boundary_before(units[i + 1].start);
    const std::size_t before = stages.empty() ? 0 : stages.back().boundary;
    if (boundary > before) stages.push_back({units[i].path, boundary, {}});
  }
  const auto uses = first_uses(graph);
  for (const auto& [path, dimensions] : parameters) {
    const std::size_t node = uses.at(path);
    const auto stage = std::find_if(stages.begin(), stages.end(),
                                    [&](const Stage& s) { return node <= boundaries[s.boundary - 1].node; });
    if (stage != stages.end()) stage->parameters.push_back(path);
  }
  return stages;
}

}  // namespace graft::graph
