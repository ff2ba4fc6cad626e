#include "graft/backbone/onednn_layers.h"

#include <ATen/Functions.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/remove_mutation.h>

#include <algorithm>
#include <functional>

#include "graft/backbone/known_tensors.h"
#include "graft/backbone/onednn_nodes.h"
#include "graft/backbone/pointwise.h"
#include "graft/core/runtime.h"

namespace graft::graph {
namespace {

namespace prim = c10::prim;
using c10::IValue;
using torch::jit::toIValue;

std::optional<Sizes> int_list(const Value* value) {
  const auto constant = toIValue(value);
  if (!constant || !constant->isIntList()) return std::nullopt;
  return constant->toIntVector();
}

/// Down and across, which one number may stand for.
std::optional<Sizes> pair_of(const Value* value) {
  auto pair = int_list(value);
  if (pair && pair->size() == 1) pair->push_back(pair->front());
  return pair && pair->size() == 2 ? pair : std::nullopt;
}

/// [n, channels, height, width] of a type that oneDNN is given here.
bool are_maps(const Value* value, const KnownTensors& known) {
  const at::ScalarType type = known.type(value);
  return known.sizes(value).size() == 4 && (type == at::kFloat || type == at::kBFloat16);
}

std::optional<at::Tensor> weights_of(const Value* value) { return constant_tensor(value->node()); }

/// A convolution of images as it stands in a graph.
struct Convolution {
  Value* input;
  at::Tensor weight;
  IValue bias;
  OneDnnStep step;
};

/// With the padding [left, right, top, bottom] by zeros that its input comes from, where it does.
Convolution with_padding(Convolution convolution) {
  const Node* node = convolution.input->node();
  const std::string_view kind = node->kind().toQualString();
  if (kind != "aten::constant_pad_nd" && kind != "aten::pad") return convolution;
  const auto pad = int_list(node->input(1));
  if (!pad || pad->size() != 4 || std::ranges::any_of(*pad, [](auto side) { return side < 0; })) return convolution;
  if (kind == "aten::pad" && toIValue(node->input(2)) != IValue("constant")) return convolution;
  const auto value = toIValue(node->inputs().back());
  if (!value || !(value->isNone() || (value->isScalar() && value->toScalar().toDouble() == 0))) return convolution;
  Sizes &before = convolution.step.padding, &behind = convolution.step.padding_behind;
  before = {before[0] + (*pad)[2], before[1] + (*pad)[0]};
  behind = {behind[0] + (*pad)[3], behind[1] + (*pad)[1]};
  convolution.input = node->input(0);
  return convolution;
}

std::optional<Convolution> read_convolution(const Node* node, const KnownTensors& known) {
  const std::string_view kind = node->kind().toQualString();
  const bool general = kind == "aten::_convolution" || kind == "aten::convolution";
  if (!general && kind != "aten::conv2d") return std::nullopt;
  const auto weight = weights_of(node->input(1));
  const auto bias = toIValue(node->input(2)), groups = toIValue(node->input(general ? 8 : 6));
  const auto stride = pair_of(node->input(3)), padding = pair_of(node->input(4)), dilation = pair_of(node->input(5));
  if (!weight || !bias || !stride || !padding || !dilation || !groups || !are_maps(node->input(0), known))
    return std::nullopt;
  if (general && toIValue(node->input(6)) != IValue(false)) return std::nullopt;  // transposed
  if (weight->scalar_type() != known.type(node->input(0))) return std::nullopt;
  const Convolution plain{.input = node->input(0),
                          .weight = *weight,
                          .bias = *bias,
                          .step = {.outputs = weight->size(0),
                                   .groups = groups->toInt(),
                                   .kernel = {weight->size(2), weight->size(3)},
                                   .stride = *stride,
                                   .dilation = *dilation,
                                   .padding = *padding,
                                   .padding_behind = *padding}};
  for (const auto& convolution : {with_padding(plain), plain})
    if (is_fast(convolution.step, maps_of(convolution.input, known))) return convolution;
  return std::nullopt;
}

/// The windows of a pooling layer. Not those that it rounds up to more than fit.
std::optional<OneDnnStep> read_pool(const Node* node, const KnownTensors& known) {
  const std::string_view kind = node->kind().toQualString();
  const bool largest = kind == "aten::max_pool2d";
  if (!largest && kind != "aten::avg_pool2d") return std::nullopt;
  if (!are_maps(node->input(0), known)) return std::nullopt;
  const auto kernel = pair_of(node->input(1)), padding = pair_of(node->input(3));
  const auto stride = int_list(node->input(2)) == Sizes{} ? kernel : pair_of(node->input(2));
  if (!kernel || !stride || !padding) return std::nullopt;
  OneDnnStep::Kind how = OneDnnStep::Kind::kMaxPool;
  if (largest) {
    const auto dilation = int_list(node->input(4));
    if (!dilation || std::ranges::any_of(*dilation, [](auto step) { return step != 1; })) return std::nullopt;
  } else {
    const auto counts_padding = toIValue(node->input(5)), divisor = toIValue(node->input(6));
    if (!counts_padding || !divisor || !divisor->isNone()) return std::nullopt;
    how = counts_padding->toBool() ? OneDnnStep::Kind::kPaddedAveragePool : OneDnnStep::Kind::kAveragePool;
  }
  const OneDnnMaps in = maps_of(node->input(0), known);
  OneDnnStep step{.kind = how,
                  .outputs = in.sizes[1],
                  .kernel = *kernel,
                  .stride = *stride,
                  .padding = *padding,
                  .padding_behind = *padding};
  const bool rounds_up = result_of(step, in).sizes != known.expected_sizes(node->output());
  return rounds_up ? std::nullopt : std::optional(step);
}

/// Float maps to bfloat16.
std::optional<OneDnnStep> read_conversion(const Node* node, const KnownTensors& known) {
  const bool converts = node->kind() == c10::aten::to && are_maps(node->input(0), known) &&
                        known.type(node->input(0)) == at::kFloat && known.type(node->output()) == at::kBFloat16;
  return converts ? std::optional(OneDnnStep{.kind = OneDnnStep::Kind::kConversion}) : std::nullopt;
}

std::optional<OneDnnStep> read_weightless(const Node* node, const KnownTensors& known) {
  auto step = read_pool(node, known);
  if (!step) step = read_conversion(node, known);
  return step && is_fast(*step, maps_of(node->input(0), known)) ? step : std::nullopt;
}

/// What a layer's result goes into that oneDNN computes with it.
struct Followers {
  Node* last;             ///< whose result the layer gives in the end
  Node* sum = nullptr;    ///< adds something to the layer's result
  Pointwise pointwise{};  ///< comes last
};

/// x * sigmoid(x), the two nodes that alone read x.
Node* spelled_out_swish(const Value* value) {
  if (value->uses().size() != 2) return nullptr;
  Node* sigmoid = value->uses()[0].user;
  Node* product = value->uses()[1].user;
  if (out_of_place(sigmoid) != "aten::sigmoid") std::swap(sigmoid, product);
  if (out_of_place(sigmoid) != "aten::sigmoid" || out_of_place(product) != "aten::mul") return nullptr;
  return only_reader(sigmoid->output()) == product ? product : nullptr;
}

bool is_convolution(const Node* node, const KnownTensors& known) { return read_convolution(node, known).has_value(); }

/// Weights [outputs, inputs] and rows of at least two dimensions.
bool is_linear(const Node* node, const KnownTensors& known) {
  if (out_of_place(node) != "aten::linear" || known.sizes(node->input(0)).size() < 2) return false;
  const auto weight = weights_of(node->input(1));
  return weight && weight->dim() == 2;
}

/// Says for each layer what follows it, before anything is rewritten: an addition moves its layer, which the graph's
/// aliases must allow.
class FollowerSearch {
 public:
  FollowerSearch(const std::shared_ptr<Graph>& graph, const KnownTensors& known) : aliases_(graph), known_(known) {}

  Followers of(Node* layer) {
    if (Node* product = spelled_out_swish(layer->output())) return {.last = product, .pointwise = {kSwish}};
    Followers found{.last = layer};
    Node* next = only_reader(layer->output());
    if (next && is_sum_with(next, layer)) {
      found = {.last = next, .sum = next};
      taken_.insert(next);
      // LibTorch's operator for linear layers has nothing behind a sum.
      next = out_of_place(layer) == "aten::linear" ? nullptr : only_reader(next->output());
    }
    if (!next || next->owningBlock() != layer->owningBlock()) return found;
    if (const auto last = read_pointwise(next)) {
      found.last = next;
      found.pointwise = *last;
    }
    return found;
  }

 private:
  bool is_sum_with(Node* sum, Node* layer) {
    if (out_of_place(sum) != "aten::add" || constant_number(sum->input(2)) != 1.0 || taken_.contains(sum)) return false;
    return is_tensor(sum->input(1)) && known_.sizes(sum->input(0)) == known_.sizes(sum->input(1)) &&
           known_.type(sum->input(0)) == known_.type(sum->input(1)) &&
           aliases_.moveBeforeTopologicallyValid(layer, sum);
  }

  torch::jit::AliasDb aliases_;
  const KnownTensors& known_;
  std::unordered_set<const Node*> taken_;
};

class Rewriter {
 public:
  Rewriter(Graph& graph, KnownTensors& known) : graph_(graph), known_(known), nodes_(graph, known) {}

  void replace_convolution(Node* node, const Followers& after) {
    const Convolution convolution = read_convolution(node, known_).value();
    torch::jit::WithInsertPoint at(after.sum ? after.sum : node);
    OneDnnLayer layer{.step = convolution.step, .weight = convolution.weight.contiguous()};
    if (!convolution.bias.isNone()) layer.bias = convolution.bias.toTensor().to(at::kFloat).contiguous();
    layer.step.pointwise = after.pointwise;
    layer.step.weight = layer.weight.const_data_ptr();
    if (layer.bias.defined()) layer.step.bias = layer.bias.const_data_ptr<float>();
    nodes_.describe(put(OneDnnNodes::layer_kind(), convolution.input, node, {}, after), std::move(layer));
  }

  void replace_by_step(Node* node, const OneDnnStep& step) {
    torch::jit::WithInsertPoint at(node);
    nodes_.describe(put(OneDnnNodes::layer_kind(), node->input(0), node, {}, {.last = node}), {.step = step});
  }

  void replace_linear(Node* node, const Followers& after) {
    static const auto kReorder = c10::Dispatcher::singleton()
                                     .findSchemaOrThrow("mkldnn::_reorder_linear_weight", "")
                                     .typed<at::Tensor(const at::Tensor&, std::optional<std::int64_t>)>();
    torch::jit::WithInsertPoint at(after.sum ? after.sum : node);
    const Sizes rows = known_.expected_sizes(node->input(0));
    const std::int64_t count = c10::multiply_integers(rows.begin(), rows.end() - 1);
    std::vector<Value*> inputs{packed(kReorder.call(*weights_of(node->input(1)), count)), node->input(2)};
    if (after.sum)
      inputs.push_back(constant("add"));
    else
      add_pointwise(inputs, after.pointwise);
    put(c10::Symbol::fromQualString("mkldnn::_linear_pointwise"), node->input(0), node, inputs, after);
  }

  void join_layers() { nodes_.join(); }

 private:
  /// Rows first, then what is added to the result, then the rest.
  Node* put(c10::Symbol kind, Value* rows, const Node* layer, std::vector<Value*> inputs, const Followers& after) {
    if (after.sum) inputs.insert(inputs.begin(), after.sum->input(after.sum->input(0) == layer->output() ? 1 : 0));
    inputs.insert(inputs.begin(), rows);
    Node* fused = graph_.insertNode(graph_.create(kind, inputs));
    fused->output()->setType(c10::TensorType::get());
    fused->setScope(after.last->scope());
    known_.set_as(fused->output(), after.last->output());
    after.last->output()->replaceAllUsesWith(fused->output());
    return fused;
  }

  void add_pointwise(std::vector<Value*>& inputs, const Pointwise& pointwise) {
    inputs.insert(inputs.end(), {constant(pointwise.name), scalars(pointwise.scalars), text(pointwise.algorithm)});
  }

  Value* constant(const IValue& value) { return graph_.insertConstant(value); }
  Value* none() { return constant(IValue()); }
  Value* text(const std::string& text) { return text.empty() ? none() : constant(text); }

  Value* scalars(const std::vector<double>& numbers) {
    c10::impl::GenericList list(c10::OptionalType::create(c10::NumberType::get()));
    for (const double number : numbers) list.push_back(number);
    return constant(list);
  }

  /// oneDNN's own layout has no storage, which LibTorch's other constants are made of.
  Value* packed(const at::Tensor& weight) {
    Node* node = graph_.insertNode(graph_.create(prim::ConstantMKLDNNTensor));
    return node->t_(c10::attr::value, weight)->output()->setType(c10::TensorType::get());
  }

  Graph& graph_;
  KnownTensors& known_;
  OneDnnNodes nodes_;
};

}  // namespace

void use_onednn(const std::shared_ptr<Graph>& graph, const torch::jit::Stack& two_rows, std::int64_t rows) {
  torch::jit::RemoveTensorMutation(graph);
  KnownTensors known(graph, two_rows, rows);
  const OneThreadScope one_thread;  // programs and packed weights are laid out for as many threads as there are
  FollowerSearch search(graph, known);
  Rewriter rewriter(*graph, known);
  std::vector<std::function<void()>> changes;
  for (Node* node : std::vector<Node*>(graph->nodes().begin(), graph->nodes().end()))  // search.of() moves some
    if (is_convolution(node, known))
      changes.emplace_back([&, node, after = search.of(node)] { rewriter.replace_convolution(node, after); });
    else if (is_linear(node, known))
      changes.emplace_back([&, node, after = search.of(node)] { rewriter.replace_linear(node, after); });
    else if (const auto step = read_weightless(node, known))
      changes.emplace_back([&, node, step] { rewriter.replace_by_step(node, *step); });
  for (const auto& change : changes) change();
  torch::jit::EliminateDeadCode(graph->block());
  rewriter.join_layers();
  graph->lint();
}

}  // namespace graft::graph
