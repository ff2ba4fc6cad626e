#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "graft/backbone/graph.h"

namespace graft::graph {

using OperatorSet = std::set<std::string, std::less<>>;

inline bool is_one_of(const Node* node, const OperatorSet& kinds) {
  return kinds.contains(node->kind().toQualString());
}

/// How an operator that may be a classifier is laid out: which inputs are features and weight, and which weight
/// dimension counts the outputs.
struct LinearForm {
  std::string_view kind;
  std::size_t features;
  std::size_t weight;
  std::int64_t out_dimension;  ///< of the weight's two, or of a convolution's four
  bool convolution;
};
/// nullptr for an operator that is none.
const LinearForm* linear_form(const Node* node);

/// A linear layer or 1x1 convolution with a weight of the module's.
struct LinearOperator {
  Node* node = nullptr;
  std::string path;
  std::int64_t in = 0;
  std::int64_t out = 0;
  bool convolution = false;
};

/// Tuples, lists and dicts, those filled by append and item assignment included.
bool is_container(const Node* node);
/// What a container holds: a dict's values.
std::vector<Value*> container_items(const Node* node);

/// The first branch met from a value backwards through what may stand behind a classifier, or nullptr.
Node* branch_towards_output(Value* value);

enum class Verdict { kClassifier, kNone, kUncertain };

/// Looks for the classifier from the graph's output backwards. Changes nothing.
class ClassifierSearch {
 public:
  ClassifierSearch(Graph& graph, const torch::jit::Module& self)
      : graph_(graph), dependence_(graph), evaluator_(graph, self) {}

  Verdict walk();
  /// The classifier's operators, in the order of the output's operands.
  const std::vector<Node*>& heads() const { return heads_; }
  /// Why the verdict is uncertain, for people.
  const std::string& doubt() const { return doubt_; }
  /// What the walk met, then the last linear operators of the graph, nearest to the output first.
  std::vector<LinearOperator> candidates() const;
  LinearOperator describe(Node* node) const;
  static std::string path_of(const Node* node);

 private:
  Verdict walk(Value* value);
  Verdict walk_operands(const std::vector<Value*>& values);
  Verdict walk_join(const Node* node);
  Verdict uncertain(const std::string& doubt);
  bool is_linear(const Node* node) const;
  at::Tensor weight_of(const Node* node) const;

  Graph& graph_;
  mutable InputDependence dependence_;
  mutable ModuleEvaluator evaluator_;
  std::vector<Node*> heads_;
  bool rectified_ = false;  ///< a ReLU stands behind
  bool averaged_ = false;   ///< a division or mean stands behind
  std::string doubt_;
};

}  // namespace graft::graph
