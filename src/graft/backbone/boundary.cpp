#include "graft/backbone/boundary.h"

#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <algorithm>
#include <functional>
#include <unordered_set>

namespace graft::graph {
namespace {

std::vector<Node*> top_nodes(const Graph& graph) {
  std::vector<Node*> nodes;
  for (const Node* node : graph.nodes()) nodes.push_back(const_cast<Node*>(node));
  return nodes;
}

std::vector<std::string> enclosing_paths(const std::string& path) {
  std::vector<std::string> paths;
  for (std::size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1))
    paths.push_back(path.substr(0, dot));
  if (!path.empty()) paths.push_back(path);
  return paths;
}

/// Index of the last top node that reads each value; the graph's outputs are read behind the last node.
std::unordered_map<const Value*, std::size_t> last_uses(const Graph& graph, const std::vector<Node*>& nodes) {
  std::unordered_map<const Value*, std::size_t> last;
  for (std::size_t i = 0; i < nodes.size(); ++i) for_each_input(nodes[i], [&](const Value* value) { last[value] = i; });
  for (const Value* output : graph.outputs()) last[output] = nodes.size();
  return last;
}

void name_boundaries(std::vector<Boundary>& boundaries, const std::vector<Node*>& nodes) {
  std::unordered_map<std::string, std::size_t> ends;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (!is_trivial(nodes[i]))
      for (const auto& path : enclosing_paths(nodes[i]->scopeName())) ends[path] = i;
  for (auto& boundary : boundaries)
    for (const auto& path : enclosing_paths(nodes[boundary.node]->scopeName()))
      if (boundary.name.empty() && ends[path] == boundary.node) boundary.name = path;
}

/// Destroys the nodes of the first `count` that nothing behind them needs.
void drop_unneeded(const std::vector<Node*>& nodes, std::size_t count, const Graph& graph) {
  std::unordered_set<const Node*> needed;
  for (std::size_t i = count; i < nodes.size(); ++i)
    for_each_input(nodes[i], [&](const Value* value) { collect_needed(value, needed); });
  for (const Value* output : graph.outputs()) collect_needed(output, needed);
  for (std::size_t i = count; i-- > 0;)
    if (!needed.contains(nodes[i])) nodes[i]->destroy();
}

void end_at(const std::shared_ptr<Graph>& graph, const std::vector<Node*>& nodes, const Boundary& boundary) {
  while (!graph->outputs().empty()) graph->eraseOutput(0);
  graph->registerOutput(nodes[boundary.node]->outputs()[boundary.output]);
  for (std::size_t i = nodes.size(); i-- > boundary.node + 1;) nodes[i]->destroy();
}

}  // namespace

std::vector<Boundary> find_boundaries(const Graph& graph) {
  const auto nodes = top_nodes(graph);
  const auto last = last_uses(graph, nodes);
  InputDependence dependence(graph);
  std::vector<const Value*> live(graph.inputs().begin() + 1, graph.inputs().end());
  std::vector<Boundary> boundaries;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const Value* output : nodes[i]->outputs())
      if (dependence.depends(output)) live.push_back(output);
    std::erase_if(live, [&](const Value* value) { return !last.contains(value) || last.at(value) <= i; });
    if (live.size() == 1 && is_tensor(live[0]) && live[0]->node() == nodes[i])
      boundaries.push_back({i, live[0]->offset(), ""});
  }
  name_boundaries(boundaries, nodes);
  return boundaries;
}

std::unordered_map<std::string, std::size_t> first_uses(const Graph& graph) {
  std::unordered_map<std::string, std::size_t> uses;
  const auto nodes = top_nodes(graph);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (is_trivial(nodes[i])) continue;
    for_each_input(nodes[i], [&](const Value* value) {
      if (const auto path = attribute_path(value); path && may_be_tensor(value)) uses.emplace(*path, i);
    });
  }
  return uses;
}

std::int64_t count_layers(const Graph& graph, std::size_t begin, std::size_t end) {
  const auto nodes = top_nodes(graph);
  return std::count_if(nodes.begin() + static_cast<std::ptrdiff_t>(begin),
                       nodes.begin() + static_cast<std::ptrdiff_t>(end), [](const Node* node) {
                         const std::string_view kind = node->kind().toUnqualString();
                         return kind.find("conv") != std::string_view::npos || kind == "linear" || kind == "matmul" ||
                                kind == "addmm";
                       });
}

std::shared_ptr<Graph> prefix_of(const std::shared_ptr<Graph>& graph, const Boundary& boundary) {
  auto prefix = graph->copy();
  end_at(prefix, top_nodes(*prefix), boundary);
  torch::jit::EliminateDeadCode(prefix);
  prefix->lint();
  return prefix;
}

std::shared_ptr<Graph> between(const std::shared_ptr<Graph>& graph, const Boundary& from, const Boundary& to) {
  auto part = graph->copy();
  auto nodes = top_nodes(*part);
  end_at(part, nodes, to);
  nodes.resize(to.node + 1);
  Value* crossing = nodes[from.node]->outputs()[from.output];
  Value* input = part->addInput("crossing");
  input->setType(c10::TensorType::get());
  crossing->replaceAllUsesWith(input);
  drop_unneeded(nodes, from.node + 1, *part);
  part->eraseInput(1);  // the images
  part->lint();
  return part;
}

}  // namespace graft::graph
