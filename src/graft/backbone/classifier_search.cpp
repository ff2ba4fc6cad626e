#include "graft/backbone/classifier_search.h"

#include <algorithm>
#include <iterator>

namespace graft::graph {
namespace {

/// Operators between classifier and output that leave a class a class; input 0 is what they work on.
const OperatorSet kBehindClassifier{"aten::dropout",
                                    "aten::dropout_",
                                    "aten::feature_dropout",
                                    "aten::softmax",
                                    "aten::log_softmax",
                                    "aten::sigmoid",
                                    "aten::sigmoid_",
                                    "aten::flatten",
                                    "aten::view",
                                    "aten::reshape",
                                    "aten::squeeze",
                                    "aten::squeeze_",
                                    "aten::contiguous",
                                    "aten::to",
                                    "aten::clone",
                                    "aten::detach",
                                    "aten::type_as",
                                    "aten::relu",
                                    "aten::relu_",
                                    "aten::mean",
                                    "aten::select",
                                    "aten::slice",
                                    "aten::alias",
                                    "aten::avg_pool2d",
                                    "aten::adaptive_avg_pool2d",
                                    "aten::float",
                                    "prim::unchecked_cast"};
const OperatorSet kArithmetic{"aten::add",  "aten::add_", "aten::sub", "aten::mul",
                              "aten::mul_", "aten::div",  "aten::div_"};
const OperatorSet kJoins{"aten::cat", "aten::stack"};
const OperatorSet kRectifiers{"aten::relu", "aten::relu_"};
const OperatorSet kAverages{"aten::mean", "aten::div", "aten::div_", "aten::mul", "aten::mul_"};
const OperatorSet kDropouts{"aten::dropout", "aten::dropout_", "aten::feature_dropout", "aten::alpha_dropout"};
/// Operators of a network's body: where the walk meets one before a linear layer, there is no classifier.
const OperatorSet kBody{"aten::batch_norm",
                        "aten::layer_norm",
                        "aten::group_norm",
                        "aten::instance_norm",
                        "aten::rms_norm",
                        "aten::conv1d",
                        "aten::conv2d",
                        "aten::conv3d",
                        "aten::_convolution",
                        "aten::hardtanh",
                        "aten::hardtanh_",
                        "aten::clamp",
                        "aten::clamp_",
                        "aten::clamp_min",
                        "aten::clamp_min_",
                        "aten::relu6",
                        "aten::hardswish",
                        "aten::hardswish_",
                        "aten::hardsigmoid",
                        "aten::hardsigmoid_",
                        "aten::silu",
                        "aten::silu_",
                        "aten::gelu",
                        "aten::gelu_",
                        "aten::mish",
                        "aten::mish_",
                        "aten::elu",
                        "aten::elu_",
                        "aten::selu",
                        "aten::leaky_relu",
                        "aten::leaky_relu_",
                        "aten::prelu",
                        "aten::tanh",
                        "aten::tanh_",
                        "aten::softplus",
                        "aten::max_pool2d",

                        "aten::permute",
                        "aten::transpose",
                        "aten::linalg_vector_norm",
                        "aten::norm",
                        "aten::expand",
                        "aten::expand_as",
                        "aten::pow",
                        "aten::scaled_dot_product_attention",
                        "aten::adaptive_max_pool2d",
                        "aten::upsample_bilinear2d",
                        "aten::pixel_shuffle"};
/// A weight may be cast, transposed or laid out anew on its way to the operator.
const OperatorSet kAroundWeight{"aten::to", "aten::t", "aten::transpose", "aten::contiguous", "aten::type_as"};
const OperatorSet kTransposes{"aten::t", "aten::transpose"};
/// How items come into a list or dict after it was made; the last input is the item.
const OperatorSet kListWrites{"aten::append", "aten::_set_item"};

constexpr LinearForm kLinearForms[] = {
    {"aten::linear", 0, 1, 0, false}, {"aten::addmm", 1, 2, 1, false}, {"aten::matmul", 0, 1, 1, false},
    {"aten::mm", 0, 1, 1, false},     {"aten::conv2d", 0, 1, 0, true}, {"aten::_convolution", 0, 1, 0, true},
};

constexpr std::size_t kShownCandidates = 3;

}  // namespace

const LinearForm* linear_form(const Node* node) {
  const std::string_view kind = node->kind().toQualString();
  const auto* form =
      std::find_if(std::begin(kLinearForms), std::end(kLinearForms), [&](const auto& f) { return kind == f.kind; });
  return form == std::end(kLinearForms) ? nullptr : form;
}

bool is_container(const Node* node) {
  return node->kind() == c10::prim::TupleConstruct || node->kind() == c10::prim::ListConstruct ||
         node->kind() == c10::prim::DictConstruct;
}

std::vector<Value*> container_items(const Node* node) {
  std::vector<Value*> items;
  const bool is_dict = node->kind() == c10::prim::DictConstruct;
  for (std::size_t i = 0; i < node->inputs().size(); ++i)
    if (!is_dict || i % 2 == 1) items.push_back(const_cast<Value*>(node->inputs()[i]));
  for (const auto& use : node->output()->uses())
    if (is_one_of(use.user, kListWrites) && use.offset == 0)
      items.push_back(use.user->input(use.user->inputs().size() - 1));
  return items;
}

Node* branch_towards_output(Value* value) {
  Node* node = value->node();
  if (node->kind() == c10::prim::If) return node;
  std::vector<Value*> sources;
  if (is_container(node))
    sources = container_items(node);
  else if (node->kind() == c10::prim::TupleUnpack || is_one_of(node, kArithmetic))
    sources = node->inputs().vec();
  else if (is_one_of(node, kBehindClassifier))
    sources.push_back(node->input(0));
  for (Value* source : sources)
    if (Node* branch = branch_towards_output(source)) return branch;
  return nullptr;
}

at::Tensor ClassifierSearch::weight_of(const Node* node) const {
  const Value* weight = node->input(linear_form(node)->weight);
  bool transposed = false;
  for (; is_one_of(weight->node(), kAroundWeight); weight = weight->node()->input(0))
    transposed ^= is_one_of(weight->node(), kTransposes);
  const auto tensor = dependence_.depends(weight) ? std::nullopt : evaluator_.evaluate(weight);
  if (!tensor || !tensor->isTensor()) return {};
  return transposed ? tensor->toTensor().transpose(-1, -2) : tensor->toTensor();
}

/// The module that runs the operator, or that owns its weight where the call was written at the top.
std::string ClassifierSearch::path_of(const Node* node) {
  if (const std::string scope = node->scopeName(); !scope.empty()) return scope;
  const Value* weight = node->input(linear_form(node)->weight);
  while (is_one_of(weight->node(), kAroundWeight)) weight = weight->node()->input(0);
  return parent_path(attribute_path(weight).value_or(""));
}

bool ClassifierSearch::is_linear(const Node* node) const {
  const LinearForm* form = linear_form(node);
  if (form == nullptr || !dependence_.depends(node->input(form->features))) return false;
  const at::Tensor weight = weight_of(node);
  if (!weight.defined()) return false;
  return form->convolution ? weight.dim() == 4 && weight.size(2) == 1 && weight.size(3) == 1 : weight.dim() == 2;
}

LinearOperator ClassifierSearch::describe(Node* node) const {
  const LinearForm& form = *linear_form(node);
  const at::Tensor weight = weight_of(node);
  return {node, path_of(node), weight.size(1 - form.out_dimension), weight.size(form.out_dimension), form.convolution};
}

std::vector<LinearOperator> ClassifierSearch::candidates() const {
  std::vector<LinearOperator> found;
  for (Node* head : heads_) found.push_back(describe(head));
  for (Node* node : graph_.nodes().reverse())
    if (found.size() < kShownCandidates && is_linear(node) && std::ranges::find(heads_, node) == heads_.end())
      found.push_back(describe(node));
  return found;
}

Verdict ClassifierSearch::uncertain(const std::string& doubt) {
  doubt_ = doubt;
  return Verdict::kUncertain;
}

Verdict ClassifierSearch::walk() {
  const Verdict verdict = walk(graph_.outputs()[0]);
  if (verdict != Verdict::kClassifier) return verdict;
  const bool convolution = linear_form(heads_.front())->convolution;
  const bool dropped_out = is_one_of(heads_.front()->input(0)->node(), kDropouts);
  if (rectified_ && !convolution) {
    heads_.clear();  // scores are not rectified: this layer is the last of a headless network
    return Verdict::kNone;
  }
  if (heads_.size() == 1 && rectified_ && !dropped_out)
    return uncertain("a 1x1 convolution and a ReLU may be a classifier or the last layer of a headless network");
  if (heads_.size() > 1 && convolution) {
    heads_.clear();  // residual convolutions of a body whose normalisations are folded
    return Verdict::kNone;
  }
  if (heads_.size() > 1 && !averaged_)
    return uncertain("it ends in a sum of " + std::to_string(heads_.size()) + " linear layers");
  return verdict;
}

Verdict ClassifierSearch::walk(Value* value) {
  Node* node = value->node();
  if (is_linear(node)) {
    heads_.push_back(node);
    return Verdict::kClassifier;
  }
  if (is_container(node)) {
    for (Value* item : container_items(node))
      if (dependence_.depends(item)) return walk(item);
    return uncertain("none of its outputs depends on the images");
  }
  rectified_ = rectified_ || is_one_of(node, kRectifiers);
  averaged_ = averaged_ || is_one_of(node, kAverages);
  if (is_one_of(node, kBehindClassifier)) return walk(node->input(0));
  if (is_one_of(node, kArithmetic)) return walk_operands({node->input(0), node->input(1)});
  if (is_one_of(node, kJoins)) return walk_join(node);
  if (is_one_of(node, kBody) || node->kind() == c10::prim::Param) return Verdict::kNone;
  if (node->kind() == c10::prim::If) return uncertain("its output comes from a branch that depends on the images");
  return uncertain("its output comes from " + std::string(node->kind().toQualString()) +
                   (node->scopeName().empty() ? "" : " in '" + node->scopeName() + "'"));
}

Verdict ClassifierSearch::walk_operands(const std::vector<Value*>& values) {
  std::vector<Value*> operands;
  std::ranges::copy_if(values, std::back_inserter(operands), [&](Value* value) { return dependence_.depends(value); });
  std::vector<Verdict> verdicts;
  for (Value* operand : operands) {
    // Scores are not rectified before they are combined: what is, is the body's.
    const bool body = operands.size() > 1 && is_one_of(operand->node(), kRectifiers);
    verdicts.push_back(body ? Verdict::kNone : walk(operand));
  }
  const auto has = [&](Verdict verdict) { return std::ranges::find(verdicts, verdict) != verdicts.end(); };
  if (has(Verdict::kNone)) return Verdict::kNone;  // a residual or a gate: one operand is of the body
  return has(Verdict::kUncertain) || verdicts.empty() ? Verdict::kUncertain : Verdict::kClassifier;
}

/// A stack of heads is about to be averaged; what is concatenated is of the body, unless every part is scores.
Verdict ClassifierSearch::walk_join(const Node* node) {
  if (!is_container(node->input(0)->node())) return Verdict::kNone;
  const Verdict verdict = walk_operands(container_items(node->input(0)->node()));
  if (node->kind() == c10::aten::stack || verdict != Verdict::kClassifier || heads_.size() < 2) return verdict;
  return uncertain("it ends in " + std::to_string(heads_.size()) + " linear layers side by side");
}

}  // namespace graft::graph
