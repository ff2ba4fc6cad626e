#include "graft/backbone/classifier.h"

#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <algorithm>
#include <set>
#include <unordered_set>

#include "graft/backbone/inline_method.h"
#include "graft/core/error.h"
#include "graft/core/names.h"

namespace graft::graph {
namespace {

using OperatorSet = std::set<std::string, std::less<>>;

std::string_view kind_of(const Node* node) { return node->kind().toQualString(); }
bool is_one_of(const Node* node, const OperatorSet& kinds) { return kinds.contains(kind_of(node)); }

/// Operators between classifier and output that leave a class a class; input 0 is what they work on.
const OperatorSet kBehindClassifier{"aten::dropout", "aten::dropout_",      "aten::feature_dropout",
                                    "aten::softmax", "aten::log_softmax",   "aten::sigmoid",
                                    "aten::flatten", "aten::view",          "aten::reshape",
                                    "aten::squeeze", "aten::squeeze_",      "aten::contiguous",
                                    "aten::to",      "aten::clone",         "aten::detach",
                                    "aten::type_as", "aten::relu",          "aten::relu_",
                                    "aten::mean",    "aten::select",        "aten::slice",
                                    "aten::alias",   "aten::avg_pool2d",    "aten::adaptive_avg_pool2d",
                                    "aten::float",   "prim::unchecked_cast"};
const OperatorSet kArithmetic{"aten::add",  "aten::add_", "aten::sub", "aten::mul",
                              "aten::mul_", "aten::div",  "aten::div_"};
const OperatorSet kContainers{"prim::TupleConstruct", "prim::ListConstruct", "prim::DictConstruct"};
/// A weight may be cast, transposed or laid out anew on its way to the operator.
const OperatorSet kAroundWeight{"aten::to", "aten::t", "aten::transpose", "aten::contiguous", "aten::type_as"};
const OperatorSet kTransposes{"aten::t", "aten::transpose"};
const OperatorSet kAheadOfClassifier{"aten::dropout",       "aten::dropout_",   "aten::feature_dropout",
                                     "aten::alpha_dropout", "aten::contiguous", "aten::clone"};
const OperatorSet kScores{"aten::softmax", "aten::log_softmax", "aten::sigmoid", "aten::dropout",
                          "prim::TupleConstruct"};

/// How an operator that may be a classifier is laid out: which inputs are features and weight, and which weight
/// dimension counts the outputs.
struct LinearForm {
  const char* kind;
  std::size_t features;
  std::size_t weight;
  std::int64_t out_dimension;  ///< of the weight's last two, or of a convolution's four
  bool convolution;
};
constexpr LinearForm kLinearForms[] = {
    {"aten::linear", 0, 1, 0, false}, {"aten::addmm", 1, 2, 1, false}, {"aten::matmul", 0, 1, 1, false},
    {"aten::mm", 0, 1, 1, false},     {"aten::conv2d", 0, 1, 0, true}, {"aten::_convolution", 0, 1, 0, true},
};

const LinearForm* linear_form(const Node* node) {
  const auto* form = std::find_if(std::begin(kLinearForms), std::end(kLinearForms),
                                  [&](const auto& f) { return kind_of(node) == f.kind; });
  return form == std::end(kLinearForms) ? nullptr : form;
}

Value* skip_back(Value* value, const OperatorSet& kinds) {
  while (is_one_of(value->node(), kinds)) value = value->node()->input(0);
  return value;
}

/// Branches on `training` between classifier and output (auxiliary heads) take their eval side.
Node* branch_towards_output(Value* value) {
  Node* node = value->node();
  if (node->kind() == c10::prim::If) return node;
  std::vector<Value*> sources;
  if (is_one_of(node, kContainers) || node->kind() == c10::prim::TupleUnpack || is_one_of(node, kArithmetic))
    sources.assign(node->inputs().begin(), node->inputs().end());
  else if (is_one_of(node, kBehindClassifier))
    sources.push_back(node->input(0));
  for (Value* source : sources)
    if (Node* branch = branch_towards_output(source)) return branch;
  return nullptr;
}

void forward_unpacked_tuples(Graph& graph) {
  for (Node* node : all_nodes(graph.block())) {
    if (node->kind() != c10::prim::TupleUnpack || node->input(0)->node()->kind() != c10::prim::TupleConstruct) continue;
    Node* tuple = node->input(0)->node();
    for (std::size_t i = 0; i < node->outputs().size(); ++i) node->outputs()[i]->replaceAllUsesWith(tuple->inputs()[i]);
  }
}

void take_eval_branches(const std::shared_ptr<Graph>& graph, const torch::jit::Module& self) {
  while (Node* branch = branch_towards_output(graph->outputs()[0])) {
    const auto condition = ModuleEvaluator(*graph, self).evaluate(branch->input(0));
    if (!condition) return;  // depends on the data: the walk ends at it and says so
    take_branch(branch, condition->toBool());
    forward_unpacked_tuples(*graph);
    torch::jit::EliminateDeadCode(graph);
  }
}

class ClassifierSearch {
 public:
  ClassifierSearch(const Graph& graph, const torch::jit::Module& self) : dependence_(graph), evaluator_(graph, self) {}

  /// Collects the classifier's operators behind `value`; false when something else than a classifier is met.
  bool walk(Value* value) {
    Node* node = value->node();
    if (is_classifier(node)) {
      heads.push_back(node);
      return true;
    }
    if (is_one_of(node, kContainers)) return walk_container(node);
    if (is_one_of(node, kBehindClassifier)) return walk(node->input(0));
    if (is_one_of(node, kArithmetic)) return walk_operands(node);
    return false;
  }

  /// The operator's weight as it multiplies, its casts left out.
  at::Tensor weight_of(const Node* node) {
    const Value* weight = node->input(linear_form(node)->weight);
    bool transposed = false;
    for (; is_one_of(weight->node(), kAroundWeight); weight = weight->node()->input(0))
      transposed ^= is_one_of(weight->node(), kTransposes);
    const auto tensor = dependence_.depends(weight) ? std::nullopt : evaluator_.evaluate(weight);
    if (!tensor || !tensor->isTensor()) return {};
    return transposed ? tensor->toTensor().transpose(-1, -2) : tensor->toTensor();
  }

  std::vector<Node*> heads;

 private:
  bool is_classifier(const Node* node) {
    const LinearForm* form = linear_form(node);
    if (form == nullptr) return false;
    const at::Tensor weight = weight_of(node);
    if (!weight.defined()) return false;
    return form->convolution ? weight.dim() == 4 && weight.size(2) == 1 && weight.size(3) == 1 : weight.dim() == 2;
  }

  bool walk_container(Node* node) {
    const std::size_t step = node->kind() == c10::prim::DictConstruct ? 2 : 1;
    for (std::size_t i = step - 1; i < node->inputs().size(); i += step)
      if (dependence_.depends(node->input(i))) return walk(node->input(i));
    return false;
  }

  bool walk_operands(Node* node) {
    bool any = false;
    for (std::size_t i = 0; i < 2; ++i) {
      if (!dependence_.depends(node->input(i))) continue;
      if (!walk(node->input(i))) return false;
      any = true;
    }
    return any;
  }

  InputDependence dependence_;
  ModuleEvaluator evaluator_;
};

Value* features_of(Node* head) { return skip_back(head->input(linear_form(head)->features), kAheadOfClassifier); }

/// The one value that all heads are fed, seen through a BatchNorm of their own; nullptr when they differ.
Value* common_features(const std::vector<Node*>& heads) {
  std::set<Value*> sources;
  for (Node* head : heads) {
    Value* value = features_of(head);
    if (heads.size() > 1 && kind_of(value->node()) == "aten::batch_norm")
      value = skip_back(value->node()->input(0), kAheadOfClassifier);
    sources.insert(value);
  }
  return sources.size() == 1 ? *sources.begin() : nullptr;
}

/// Replaces every head by the identity and gives what is left of the path to the output.
Value* pass_through(Graph& graph, const std::vector<Node*>& heads) {
  for (Node* head : heads) head->output()->replaceAllUsesWith(features_of(head));
  return skip_back(graph.outputs()[0], kScores);
}

void collect_needed(const Value* value, std::unordered_set<const Node*>& needed) {
  const Node* node = value->node();
  if (node->kind() == c10::prim::Param || !needed.insert(node).second) return;
  for_each_input(node, [&](const Value* input) { collect_needed(input, needed); });
}

/// Makes `output` the graph's one output and drops all that runs after the last node it needs.
void return_only(const std::shared_ptr<Graph>& graph, Value* output) {
  while (!graph->outputs().empty()) graph->eraseOutput(0);
  graph->registerOutput(output);
  std::unordered_set<const Node*> needed;
  collect_needed(output, needed);
  const std::vector<Node*> nodes(graph->nodes().begin(), graph->nodes().end());
  for (std::size_t i = nodes.size(); i-- > 0 && !needed.contains(nodes[i]);) nodes[i]->destroy();
  torch::jit::EliminateDeadCode(graph, torch::jit::DCESideEffectPolicy::ALLOW_DELETING_NODES_WITH_SIDE_EFFECTS);
  graph->lint();
}

Value* first_tensor(const Graph& graph, Value* output) {
  InputDependence dependence(graph);
  while (is_one_of(output->node(), kContainers)) {
    const auto inputs = output->node()->inputs();
    const auto found =
        std::find_if(inputs.begin(), inputs.end(), [&](Value* input) { return dependence.depends(input); });
    if (found == inputs.end()) return output;
    output = *found;
  }
  return output;
}

}  // namespace

Classifier cut_classifier(std::shared_ptr<Graph>& graph, const torch::jit::Module& self, const std::string& subject) {
  take_eval_branches(graph, self);
  ClassifierSearch search(*graph, self);
  Classifier classifier;
  Value* features = nullptr;
  if (search.walk(graph->outputs()[0])) {
    const Node* head = search.heads.front();
    const LinearForm& form = *linear_form(head);
    const at::Tensor weight = search.weight_of(head);
    classifier.out = weight.size(form.out_dimension);
    classifier.in = weight.size(1 - form.out_dimension);
    std::vector<std::string> paths;
    for (const Node* node : search.heads) paths.push_back(node->scopeName());
    classifier.path = join(paths, " + ");
    features = form.convolution ? nullptr : common_features(search.heads);
    classifier.rule = features == nullptr ? "replaced by the identity" : "cut off at its input";
    if (features == nullptr) features = pass_through(*graph, search.heads);
  } else {
    classifier.rule = "none: the output is taken as features";
    features = first_tensor(*graph, graph->outputs()[0]);
  }
  if (!features->type()->isSubtypeOf(*c10::TensorType::get()))
    throw Error({subject, "its features are of type " + features->type()->str(), "a tensor",
                 "script a wrapper that returns one tensor"});
  return_only(graph, features);
  return classifier;
}

}  // namespace graft::graph
