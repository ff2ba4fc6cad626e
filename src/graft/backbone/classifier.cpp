#include "graft/backbone/classifier.h"

#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <algorithm>
#include <unordered_set>

#include "graft/backbone/branches.h"
#include "graft/backbone/classifier_search.h"
#include "graft/core/error.h"
#include "graft/core/names.h"

namespace graft {
namespace graph {
namespace {

/// What may stand between features and classifier and is the classifier's.
const OperatorSet kAheadOfClassifier{"aten::dropout",       "aten::dropout_",   "aten::feature_dropout",
                                     "aten::alpha_dropout", "aten::contiguous", "aten::clone"};
/// What is left behind a classifier that became the identity.
const OperatorSet kScores{"aten::softmax", "aten::log_softmax", "aten::sigmoid", "aten::dropout",
                          "prim::TupleConstruct"};

void forward_unpacked_tuples(Graph& graph) {
  for (Node* node : all_nodes(graph.block())) {
    if (node->kind() != c10::prim::TupleUnpack || node->input(0)->node()->kind() != c10::prim::TupleConstruct) continue;
    Node* tuple = node->input(0)->node();
    for (std::size_t i = 0; i < node->outputs().size(); ++i) node->outputs()[i]->replaceAllUsesWith(tuple->inputs()[i]);
  }
}

/// Branches on `training` between classifier and output (auxiliary heads) take their eval side.
void take_eval_branches(const std::shared_ptr<Graph>& graph, const torch::jit::Module& self) {
  while (Node* branch = branch_towards_output(graph->outputs()[0])) {
    const auto condition = ModuleEvaluator(*graph, self).evaluate(branch->input(0));
    if (!condition) return;  // depends on the images: the walk ends at it and says so
    take_branch(branch, condition->toBool());
    forward_unpacked_tuples(*graph);
    torch::jit::EliminateDeadCode(graph);
  }
}

/// Steps over operators that hand their input on; one whose result is written to is another value.
Value* skip_back(Value* value, const OperatorSet& kinds) {
  while (is_one_of(value->node(), kinds) && writers_of(value).empty()) value = value->node()->input(0);
  return value;
}

Value* features_of(Node* head) { return skip_back(head->input(linear_form(head)->features), kAheadOfClassifier); }

/// The one value that all heads are fed, seen through a BatchNorm of their own; nullptr when they differ.
Value* common_features(const std::vector<Node*>& heads) {
  std::unordered_set<Value*> sources;
  for (Node* head : heads) {
    Value* value = features_of(head);
    if (heads.size() > 1 && value->node()->kind() == c10::aten::batch_norm)
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

/// The features are what the last operator makes, also where they are made earlier and written to in place.
void end_with_output(Graph& graph) {
  Node* end = graph.block()->return_node();
  if (graph.outputs()[0]->node() == end->prev()) return;
  torch::jit::WithInsertPoint at_end(end);
  Value* last = graph.insert(c10::aten::alias, {graph.outputs()[0]});
  graph.eraseOutput(0);
  graph.registerOutput(last);
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
  end_with_output(*graph);
  graph->lint();
}

Value* main_tensor(const Graph& graph, Value* output) {
  InputDependence dependence(graph);
  while (is_container(output->node())) {
    const auto items = container_items(output->node());
    const auto found = std::find_if(items.begin(), items.end(), [&](Value* item) { return dependence.depends(item); });
    if (found == items.end()) return output;
    output = *found;
  }
  return output;
}

/// Outputs beside the main one.
int further_outputs(const Graph& graph) {
  InputDependence dependence(graph);
  int outputs = 0;
  if (is_container(graph.outputs()[0]->node()))
    for (const Value* item : container_items(graph.outputs()[0]->node())) outputs += dependence.depends(item) ? 1 : 0;
  return std::max(0, outputs - 1);
}

std::string described(const LinearOperator& linear) {
  return "'" + linear.path + "' (" + (linear.convolution ? "1x1 convolution, " : "linear, ") +
         std::to_string(linear.in) + " -> " + std::to_string(linear.out) + ")";
}

[[noreturn]] void throw_uncertain(const ClassifierSearch& search, const std::string& subject) {
  std::vector<std::string> candidates;
  for (const auto& candidate : search.candidates()) candidates.push_back(described(candidate));
  const std::string shown = candidates.empty() ? "no linear layer" : "the last linear layers are " + join(candidates);
  throw Error({subject, "where its features end is not certain: " + search.doubt() + "; " + shown, "a word from you",
               (candidates.empty() ? "" : "--classifier replace cuts off " + candidates.front() + "; ") +
                   std::string("--classifier keep takes the network's output as features; --features PATH takes what a "
                               "module gives")});
}

/// The tensor that a module hands to the rest of the network.
Value* output_of_module(Graph& graph, const std::string& path, const std::string& subject) {
  Value* last = nullptr;
  std::set<std::string> modules;
  for (Node* node : graph.nodes()) {
    if (is_trivial(node) || node->scopeName().empty()) continue;
    modules.insert(node->scopeName());
    for (Value* output : is_within(node->scopeName(), path) ? node->outputs().vec() : std::vector<Value*>{})
      if (is_tensor(output)) last = output;
  }
  if (last != nullptr) return last;
  for (const auto& module : std::set(modules))
    for (auto dot = module.find('.'); dot != std::string::npos; dot = module.find('.', dot + 1))
      modules.insert(module.substr(0, dot));
  const std::vector<std::string> names(modules.begin(), modules.end());
  throw Error({subject, "has no module '" + path + "' that gives a tensor", "a module's path",
               did_you_mean(path, names, 3) + (names.empty() ? "" : "; graft inspect lists them")});
}

/// Cuts at the input of the last linear layer, wherever it stands.
Value* replace_last(ClassifierSearch& search, Classifier& classifier, const std::string& subject) {
  const auto candidates = search.candidates();
  if (candidates.empty()) throw_uncertain(search, subject);
  classifier.path = candidates.front().path;
  classifier.in = candidates.front().in;
  classifier.out = candidates.front().out;
  classifier.rule = "cut off at its input, as asked";
  return features_of(candidates.front().node);
}

/// The features of heads that work on different numbers of them, side by side.
Value* joined_features(Graph& graph, const std::vector<Node*>& heads) {
  std::vector<Value*> features;
  for (Node* head : heads) features.push_back(features_of(head));
  torch::jit::WithInsertPoint at_end(graph.block()->return_node());
  Node* list = graph.insertNode(graph.createList(c10::TensorType::get(), features));
  return graph.insert(c10::aten::cat, {list->output(), 1});
}

/// What the walk has found, cut off.
Value* cut_heads(Graph& graph, ClassifierSearch& search, Classifier& classifier) {
  const LinearOperator head = search.describe(search.heads().front());
  std::vector<std::string> paths;
  for (const Node* node : search.heads()) paths.push_back(ClassifierSearch::path_of(node));
  classifier.path = join(paths, " + ");
  classifier.in = head.in;
  classifier.out = head.out;
  std::int64_t inputs = 0;
  bool same_inputs = true;
  for (Node* node : search.heads()) {
    inputs += search.describe(node).in;
    same_inputs = same_inputs && search.describe(node).in == head.in;
  }
  if (!same_inputs) {
    classifier.in = inputs;
    classifier.rule = "cut off at their inputs, which are joined";
    return joined_features(graph, search.heads());
  }
  Value* features = head.convolution ? nullptr : common_features(search.heads());
  classifier.rule = features == nullptr ? "replaced by the identity" : "cut off at its input";
  return features == nullptr ? pass_through(graph, search.heads()) : features;
}

Value* find_features(Graph& graph, const torch::jit::Module& self, const FeaturesChoice& choice, Classifier& classifier,
                     const std::string& subject) {
  if (!choice.path.empty()) {
    classifier.rule = "everything behind '" + choice.path + "' is cut off, as asked";
    return output_of_module(graph, choice.path, subject);
  }
  if (choice.classifier == ClassifierChoice::kKeep) {
    classifier.rule = "kept: the output is taken as features, as asked";
    return main_tensor(graph, graph.outputs()[0]);
  }
  ClassifierSearch search(graph, self);
  const Verdict verdict = search.walk();
  const bool replace = choice.classifier == ClassifierChoice::kReplace;
  if (replace ? !search.heads().empty() && verdict != Verdict::kNone : verdict == Verdict::kClassifier)
    return cut_heads(graph, search, classifier);
  if (replace) return replace_last(search, classifier, subject);
  if (verdict == Verdict::kUncertain) throw_uncertain(search, subject);
  classifier.rule = "none found: the output is taken as features";
  return main_tensor(graph, graph.outputs()[0]);
}

}  // namespace

Classifier cut_classifier(std::shared_ptr<Graph>& graph, const torch::jit::Module& self, const FeaturesChoice& choice,
                          const std::string& subject) {
  take_eval_branches(graph, self);
  Classifier classifier;
  classifier.outputs_dropped = further_outputs(*graph);
  Value* features = find_features(*graph, self, choice, classifier, subject);
  if (!is_tensor(features))
    throw Error({subject, "its features are of type " + features->type()->str(), "a tensor",
                 "--features PATH takes what a module gives, or script a wrapper that returns one tensor"});
  return_only(graph, features);
  return classifier;
}

}  // namespace graph

const std::vector<std::string>& classifier_choice_names() {
  static const std::vector<std::string> kNames{"auto", "keep", "replace"};
  return kNames;
}

ClassifierChoice classifier_choice(const std::string& name) {
  const auto& names = classifier_choice_names();
  const auto found = std::find(names.begin(), names.end(), name);
  TORCH_CHECK(found != names.end(), "no choice of a classifier is called ", name);
  return static_cast<ClassifierChoice>(found - names.begin());
}

}  // namespace graft
