#include "graft/backbone/fused_batch_norm.h"

#include <ATen/Functions.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/jit/runtime/custom_operator.h>

#include <limits>

#include "graft/backbone/batch_norm_kernels.h"
#include "graft/backbone/pointwise.h"

namespace graft::graph {
namespace {

using kernels::LimitedLine;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const c10::Symbol kBatchNorm = c10::Symbol::fromQualString("graft::batch_norm");

/// Of an activation; as they are, of none.
struct Limits {
  double low = -kInfinity, high = kInfinity;

  bool operator==(const Limits&) const = default;
};

struct BatchNorm {
  at::Tensor weight, bias, running_mean, running_var;
  bool training;
  double momentum, eps;
  bool use_cudnn;
  Limits limits;
};

std::int64_t numbers_a_channel(const at::Tensor& maps) { return maps.numel() / maps.size(1); }

/// Those of the batch, which move the running ones, or the running ones.
kernels::Moments take_moments(const at::Tensor& maps, const BatchNorm& norm) {
  if (!norm.training) return {norm.running_mean, norm.running_var};
  kernels::Moments batch = kernels::moments(maps);
  const auto count = static_cast<double>(numbers_a_channel(maps));
  norm.running_mean.mul_(1 - norm.momentum).add_(batch.mean, norm.momentum);
  norm.running_var.mul_(1 - norm.momentum).add_(batch.variance, norm.momentum * count / (count - 1));
  return batch;
}

LimitedLine line_of(const at::Tensor& scale, const at::Tensor& shift, const Limits& limits) {
  return {scale, shift, static_cast<float>(limits.low), static_cast<float>(limits.high)};
}

/// https://arxiv.org/abs/1502.03167, section 3: the derivatives of a batch's statistics as well, where those were used.
struct FusedBatchNorm : torch::autograd::Function<FusedBatchNorm> {
  static constexpr std::size_t kOfNoSum = 5;  ///< tensors are saved; of a sum its result as well

  // weight and bias stand by themselves: gradients are asked of arguments alone.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& maps, const at::Tensor& weight,
                            const at::Tensor& bias, const std::optional<at::Tensor>& added, const BatchNorm& norm) {
    const auto [mean, variance] = take_moments(maps, norm);
    const at::Tensor inverse = (variance + norm.eps).rsqrt();
    const at::Tensor scale = weight * inverse, shift = bias - mean * scale;
    at::Tensor result = kernels::apply(line_of(scale, shift, norm.limits), maps, added);
    variable_list saved{maps, mean, inverse, scale, shift};
    if (added) saved.push_back(result);
    context->save_for_backward(std::move(saved));
    context->saved_data["low"] = norm.limits.low;
    context->saved_data["high"] = norm.limits.high;
    context->saved_data["training"] = norm.training;
    return result;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    TORCH_CHECK(!c10::GradMode::is_enabled(), "a fused BatchNorm has first derivatives alone");
    const auto saved = context->get_saved_variables();
    const at::Tensor &maps = saved[0], &mean = saved[1], &inverse = saved[2], &scale = saved[3];
    const Limits limits{context->saved_data["low"].toDouble(), context->saved_data["high"].toDouble()};
    LimitedLine line = line_of(scale, saved[4], limits);
    at::Tensor gradient = gradients[0].to(maps.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    kernels::GradientSums sums;
    at::Tensor of_added;
    if (saved.size() > kOfNoSum) {
      of_added = at::empty_like(maps);
      sums = kernels::gradient_sums_of_sum(line, maps, saved[kOfNoSum], gradient, mean, of_added);
      line = line_of(scale, saved[4], {});
      gradient = of_added;
    } else {
      sums = kernels::gradient_sums(line, maps, gradient, mean);
    }
    at::Tensor of_maps;
    if (context->needs_input_grad(0)) {
      at::Tensor slope = at::zeros_like(scale), offset = slope;
      if (context->saved_data["training"].toBool()) {
        const auto count = static_cast<double>(numbers_a_channel(maps));
        slope = sums.product * inverse * inverse * scale / -count;
        offset = sums.gradient * scale / -count - mean * slope;
      }
      of_maps = kernels::input_gradient(line, maps, gradient, slope, offset);
    }
    return {of_maps, sums.product * inverse, sums.gradient, of_added, {}};
  }
};

bool are_fused(const at::Tensor& maps, const std::optional<at::Tensor>& added, const BatchNorm& norm) {
  if (added && !(kernels::suit(*added) && added->sizes() == maps.sizes() && added->dtype() == maps.dtype()))
    return false;
  for (const auto& channels : {norm.weight, norm.bias, norm.running_mean, norm.running_var})
    if (!channels.defined() || channels.scalar_type() != at::kFloat || !channels.is_contiguous()) return false;
  return kernels::suit(maps) && numbers_a_channel(maps) > 1;
}

at::Tensor batch_norm(const at::Tensor& maps, const std::optional<at::Tensor>& added, const BatchNorm& norm) {
  if (are_fused(maps, added, norm)) return FusedBatchNorm::apply(maps, norm.weight, norm.bias, added, norm);
  at::Tensor normalised = at::batch_norm(maps, norm.weight, norm.bias, norm.running_mean, norm.running_var,
                                         norm.training, norm.momentum, norm.eps, norm.use_cudnn);
  if (added) normalised.add_(*added);
  return norm.limits == Limits{} ? normalised : at::hardtanh(normalised, norm.limits.low, norm.limits.high);
}

[[maybe_unused]] const torch::jit::RegisterOperators kBatchNormOperator({torch::jit::Operator(
    "graft::batch_norm(Tensor x, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, "
    "bool training, float momentum, float eps, bool cudnn_enabled, float low, float high, Tensor? added) -> Tensor",
    [](torch::jit::Stack& stack) {
      constexpr std::size_t kArguments = 12;
      const auto argument = [&](std::size_t i) { return torch::jit::peek(stack, i, kArguments); };
      const auto tensor = [&](std::size_t i) { return argument(i).isNone() ? at::Tensor() : argument(i).toTensor(); };
      const BatchNorm norm{tensor(1),
                           tensor(2),
                           tensor(3),
                           tensor(4),
                           argument(5).toBool(),
                           argument(6).toDouble(),
                           argument(7).toDouble(),
                           argument(8).toBool(),
                           {argument(9).toDouble(), argument(10).toDouble()}};
      at::Tensor result = batch_norm(tensor(0), argument(11).toOptional<at::Tensor>(), norm);
      torch::jit::drop(stack, kArguments);
      torch::jit::push(stack, std::move(result));
    },
    c10::AliasAnalysisKind::CONSERVATIVE)});

/// What an activation limits its input to. Not aten::clamp, which passes gradients at its limits.
std::optional<Limits> limits_of(const Node* node) {
  const auto activation = read_pointwise(node);
  if (!activation || out_of_place(node) == "aten::clamp") return std::nullopt;
  if (activation->name == "relu") return Limits{.low = 0};
  if (activation->name == "hardtanh") return Limits{activation->scalars[0], activation->scalars[1]};
  return std::nullopt;
}

/// The one node that reads what `node` gives, where that is in the same block.
Node* reader_beside(Node* node) {
  Node* reader = only_reader(node->output());
  return reader != nullptr && reader->owningBlock() == node->owningBlock() ? reader : nullptr;
}

/// Whether a BatchNorm may as well be computed later: nobody writes to its input.
bool may_wait(const Node* norm) {
  const auto kind = norm->input(0)->node()->kind();
  const bool is_fresh = kind == c10::prim::Param || kind == c10::aten::conv2d || kind == c10::aten::_convolution;
  return is_fresh && writers_of(norm->input(0)).empty();
}

/// What follows a BatchNorm and is computed with it.
struct Following {
  Node* sum = nullptr;         ///< norm += shortcut, or none
  Node* activation = nullptr;  ///< or none
  Limits limits{};
};

Following following(Node* norm) {
  Node* reader = reader_beside(norm);
  if (reader == nullptr) return {};
  if (const auto limits = limits_of(reader)) return {nullptr, reader, *limits};
  const bool is_sum = reader->kind() == c10::aten::add_ && reader->input(0) == norm->output() &&
                      is_tensor(reader->input(1)) && constant_number(reader->input(2)) == 1.0;
  Node* activation = is_sum && may_wait(norm) ? reader_beside(reader) : nullptr;
  const auto limits = activation != nullptr ? limits_of(activation) : std::nullopt;
  return limits ? Following{reader, activation, *limits} : Following{};
}

void fuse(Graph& graph, Node* norm) {
  const auto [sum, activation, limits] = following(norm);
  const torch::jit::WithInsertPoint at(sum != nullptr ? sum : norm);
  std::vector<Value*> inputs = norm->inputs().vec();
  inputs.push_back(graph.insertConstant(limits.low));
  inputs.push_back(graph.insertConstant(limits.high));
  inputs.push_back(sum != nullptr ? sum->input(1) : graph.insertConstant(c10::IValue()));
  Node* fused = graph.insertNode(graph.create(kBatchNorm, inputs));
  fused->output()->setType(c10::TensorType::get());
  Node* last = activation != nullptr ? activation : norm;
  fused->setScope(last->scope());
  last->output()->replaceAllUsesWith(fused->output());
  for (Node* replaced : {activation, sum, norm})
    if (replaced != nullptr) replaced->destroy();
}

}  // namespace

void fuse_batch_norms(Graph& graph) {
  std::vector<Node*> norms = all_nodes(graph.block());
  std::erase_if(
      norms, [](const Node* node) { return node->kind() != c10::aten::batch_norm || normalises_by_its_input(node); });
  for (Node* norm : norms) fuse(graph, norm);
}

}  // namespace graft::graph
