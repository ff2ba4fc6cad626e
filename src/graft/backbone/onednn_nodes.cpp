#include "graft/backbone/onednn_nodes.h"

#include <ATen/Functions.h>
#include <ATen/core/custom_class.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/runtime/custom_operator.h>

#include <algorithm>

namespace graft::graph {
namespace {

using c10::IValue;

const c10::Symbol kLayer = c10::Symbol::fromQualString("graft::onednn_layer"),
                  kProgram = c10::Symbol::fromQualString("graft::onednn_program");

at::ScalarType type_of(const OneDnnMaps& maps) {
  return maps.type == OneDnnType::kBfloat16 ? at::kBFloat16 : at::kFloat;
}

/// What a node that runs a program keeps of it in an attribute.
struct ProgramHolder : torch::jit::CustomClassHolder {
  ProgramHolder(OneDnnProgram compiled, std::vector<OneDnnMaps> expected)
      : program(std::move(compiled)), inputs(std::move(expected)) {}

  std::vector<at::Tensor> run(at::ArrayRef<IValue> values) const {
    std::vector<at::Tensor> kept, results;
    std::vector<const void*> from;
    std::vector<void*> to;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const at::Tensor& given = values[i].toTensor();
      TORCH_CHECK(given.sizes() == inputs[i].sizes && given.scalar_type() == type_of(inputs[i]), "compiled for ",
                  inputs[i].sizes, " of ", type_of(inputs[i]), ", given ", given.sizes(), " of ", given.scalar_type());
      from.push_back(kept.emplace_back(given.contiguous(at::MemoryFormat::ChannelsLast)).const_data_ptr());
    }
    for (const OneDnnMaps& maps : program.outputs()) {
      results.push_back(at::empty(maps.sizes, at::TensorOptions(type_of(maps)), at::MemoryFormat::ChannelsLast));
      to.push_back(results.back().data_ptr());
    }
    program.run(from, to);
    return results;
  }

  OneDnnProgram program;
  std::vector<OneDnnMaps> inputs;
};

torch::jit::Operation run_program(const Node* node) {
  const auto holder = node->ival(c10::attr::value).toCapsule();
  return [holder, inputs = node->inputs().size()](torch::jit::Stack& stack) {
    auto results = static_cast<const ProgramHolder&>(*holder).run(torch::jit::last(stack, inputs));
    torch::jit::drop(stack, inputs);
    for (auto& result : results) stack.emplace_back(std::move(result));
  };
}

torch::jit::Operation refuse(const Node* node) {
  return [kind = node->kind()](torch::jit::Stack&) { TORCH_CHECK(false, kind.toQualString(), " is in no program"); };
}

/// Programs are said to have side effects: LibTorch merges nodes without them that are equal, and cannot compare
/// programs.
[[maybe_unused]] const torch::jit::RegisterOperators kProgramOperator(
    {std::optional(torch::jit::Operator(kProgram, run_program, c10::AliasAnalysisKind::CONSERVATIVE)),
     std::optional(torch::jit::Operator(kLayer, refuse, c10::AliasAnalysisKind::PURE_FUNCTION))});

template <typename T>
std::size_t position(const std::vector<T>& all, const T& one) {
  return static_cast<std::size_t>(std::ranges::find(all, one) - all.begin());
}

}  // namespace

OneDnnMaps maps_of(const Value* value, const KnownTensors& known) {
  const at::ScalarType type = known.type(value);
  TORCH_CHECK(type == at::kFloat || type == at::kBFloat16, "no maps of ", type);
  return {known.expected_sizes(value), type == at::kFloat ? OneDnnType::kFloat : OneDnnType::kBfloat16};
}

c10::Symbol OneDnnNodes::layer_kind() { return kLayer; }

void OneDnnNodes::join() {
  std::vector<Node*> run;
  const auto flush = [&] {
    for (const auto& part : parts_by_rows(run)) replace_by_program(part);
    run.clear();
  };
  for (Node* node : std::vector<Node*>(graph_.nodes().begin(), graph_.nodes().end()))
    if (node->kind() == kLayer)
      run.push_back(node);
    else if (!is_trivial(node) && node->kind() != c10::prim::ConstantMKLDNNTensor)
      flush();
  flush();
}

std::int64_t OneDnnNodes::rows_at_once(const Node* node) const {
  return OneDnnProgram::rows_at_once(maps_of(node->input(0), known_), maps_of(node->output(), known_));
}

/// A part ends only where nothing but its last result is read behind it: between the blocks of a network.
std::vector<std::vector<Node*>> OneDnnNodes::parts_by_rows(const std::vector<Node*>& nodes) const {
  std::vector<std::vector<Node*>> parts;
  std::vector<Node*> block;
  std::int64_t rows = 0, rows_of_last = 0;
  std::size_t others_read_until = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    rows = block.empty() ? rows_at_once(nodes[i]) : std::min(rows, rows_at_once(nodes[i]));
    block.push_back(nodes[i]);
    if (others_read_until <= i || i + 1 == nodes.size()) {
      if (rows != rows_of_last) parts.emplace_back();
      rows_of_last = rows;
      parts.back().insert(parts.back().end(), block.begin(), block.end());
      block.clear();
    }
    for (const auto& use : nodes[i]->output()->uses())
      if (const std::size_t reader = position(nodes, use.user); reader < nodes.size())
        others_read_until = std::max(others_read_until, reader);
  }
  return parts;
}

void OneDnnNodes::replace_by_program(const std::vector<Node*>& nodes) {
  std::vector<Value*> values;
  for (Node* node : nodes)
    for (Value* input : node->inputs())
      if (position(nodes, input->node()) == nodes.size() && position(values, input) == values.size())
        values.push_back(input);
  const std::vector<Value*> inputs = values;
  std::vector<OneDnnStep> steps;
  std::vector<std::size_t> outputs;
  for (Node* node : nodes) {
    OneDnnStep& step = steps.emplace_back(layers_.at(node).step);
    step.input = position(values, node->input(0));
    if (node->inputs().size() > 1) step.added = position(values, node->input(1));
    const auto outside = [&](const auto& use) { return position(nodes, use.user) == nodes.size(); };
    if (std::ranges::any_of(node->output()->uses(), outside)) outputs.push_back(values.size());
    values.push_back(node->output());
  }
  std::vector<OneDnnMaps> given;
  for (const Value* input : inputs) given.push_back(maps_of(input, known_));
  OneDnnProgram program(steps, given, outputs);
  torch::jit::WithInsertPoint at(nodes.back());
  Node* joined = graph_.insertNode(graph_.create(kProgram, inputs, outputs.size()));
  joined->ival_(c10::attr::value,
                IValue::make_capsule(c10::make_intrusive<ProgramHolder>(std::move(program), std::move(given))));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    joined->output(i)->setType(c10::TensorType::get());
    known_.set_as(joined->output(i), values[outputs[i]]);
    values[outputs[i]]->replaceAllUsesWith(joined->output(i));
  }
  for (Node* node : std::vector<Node*>(nodes.rbegin(), nodes.rend())) node->destroy();
}

}  // namespace graft::graph
