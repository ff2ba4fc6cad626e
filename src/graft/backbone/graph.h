#pragma once
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

/// Questions asked of a TorchScript graph whose first input is the module it belongs to ("self").
namespace graft::graph {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

/// The dotted attribute path of a value that is read from `self` by GetAttr alone ("" for self); nothing for any other
/// value.
std::optional<std::string> attribute_path(const Value* value);

/// "layer1.0" for "layer1.0.conv1", "" for a path without a dot.
std::string parent_path(const std::string& path);

bool is_tensor(const Value* value);

/// A tensor, or an optional one: scripted convolutions declare their bias so.
bool may_be_tensor(const Value* value);

/// Constants and attribute reads: they compute nothing.
bool is_trivial(const Node* node);

/// What a constant holds, when that is a tensor.
std::optional<at::Tensor> constant_tensor(const Node* node);

/// A batch_norm or instance_norm without running statistics, as weight standardisation writes it: it has no other mode.
bool normalises_by_its_input(const Node* node);

/// The one node that reads a value; null where there are more, or where it is a result of the graph.
Node* only_reader(const Value* value);

/// Every node of the graph and of the blocks within it, in order.
std::vector<Node*> all_nodes(Block* block);

/// Calls `visit` with every value that the node reads, those read within its blocks included.
void for_each_input(const Node* node, const std::function<void(const Value*)>& visit);

/// The nodes that append to a list, put into a dict or write to a tensor in place, itself or a view of it. Dropout is
/// none of them.
std::vector<Node*> writers_of(const Value* value);

/// Adds all nodes that a value needs: those that compute it, those that write to what it is computed from, and the
/// nodes whose blocks they stand in.
void collect_needed(const Value* value, std::unordered_set<const Node*>& needed);

/// Whether values depend on the graph's inputs other than self, also by what is appended to a list, put into a dict or
/// written to a tensor in place. Remembers its answers: make a new one after a change of the graph.
class InputDependence {
 public:
  explicit InputDependence(const Graph& graph) : graph_(graph) {}
  bool depends(const Value* value);

 private:
  bool depends(const Node* node);

  const Graph& graph_;
  std::unordered_map<const Value*, bool> known_;
};

/// Computes values that depend on the module alone, as they are in eval mode.
class ModuleEvaluator {
 public:
  ModuleEvaluator(const Graph& graph, const torch::jit::Module& self) : graph_(graph), self_(self) {}

  /// Nothing when the value needs an input, has a side effect, or raises.
  std::optional<c10::IValue> evaluate(const Value* value);
  /// Whether an evaluation so far has read a `training` flag.
  bool read_training() const { return read_training_; }

 private:
  c10::IValue compute(const Value* value);

  const Graph& graph_;
  const torch::jit::Module& self_;
  bool read_training_ = false;
  std::unordered_map<const Value*, c10::IValue> known_;
};

/// Runs a copy of the graph on its own executor, without gradient, so that no plan of the module's methods is made.
c10::IValue run_graph(const std::shared_ptr<Graph>& graph, const torch::jit::Module& self, const at::Tensor& input);

/// Adds `graph` to the module as the method `name`.
void add_method(torch::jit::Module& module, const std::string& name, const std::shared_ptr<Graph>& graph);

/// Removes every method of the module and its submodules but those that (de)serialise. A method that calls a removed
/// one would make the saved file fail to load.
void remove_methods(torch::jit::Module& module);

}  // namespace graft::graph
