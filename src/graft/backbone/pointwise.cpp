#include "graft/backbone/pointwise.h"

#include <torch/csrc/jit/ir/constants.h>

#include <array>

namespace graft::graph {
namespace {

using c10::IValue;
using torch::jit::toIValue;

bool read_limits(const Node* node, Pointwise& pointwise) {
  const auto low = constant_number(node->input(1)), high = constant_number(node->input(2));
  if (low && high) pointwise.scalars = {*low, *high};
  return low && high;
}

bool read_slope(const Node* node, Pointwise& pointwise) {
  const auto slope = constant_number(node->input(1));
  if (slope) pointwise.scalars = {*slope};
  return slope.has_value();
}

bool limit_to_six(const Node*, Pointwise& pointwise) {
  pointwise.scalars = {0, 6};
  return true;
}

bool read_approximation(const Node* node, Pointwise& pointwise) {
  const auto approximate = node->inputs().size() > 1 ? toIValue(node->input(1)) : std::optional(IValue("none"));
  if (approximate) pointwise.algorithm = approximate->toStringRef();
  return approximate.has_value();
}

struct PointwiseRow {
  std::string_view kind;
  const char* name;  ///< oneDNN's
  /// Reads the rest; false where it is not known beforehand.
  bool (*read)(const Node* node, Pointwise& pointwise) = nullptr;
};

constexpr std::array kPointwise{
    PointwiseRow{"aten::relu", "relu"},
    PointwiseRow{"aten::relu6", "hardtanh", limit_to_six},
    PointwiseRow{"aten::hardtanh", "hardtanh", read_limits},
    PointwiseRow{"aten::clamp", "hardtanh", read_limits},
    PointwiseRow{"aten::leaky_relu", "leaky_relu", read_slope},
    PointwiseRow{"aten::silu", kSwish},
    PointwiseRow{"aten::sigmoid", "sigmoid"},
    PointwiseRow{"aten::tanh", "tanh"},
    PointwiseRow{"aten::hardswish", "hardswish"},
    PointwiseRow{"aten::hardsigmoid", "hardsigmoid"},
    PointwiseRow{"aten::gelu", "gelu", read_approximation},
};

}  // namespace

std::string_view out_of_place(const Node* node) {
  std::string_view kind = node->kind().toQualString();
  if (kind.ends_with('_')) kind.remove_suffix(1);
  return kind;
}

std::optional<double> constant_number(const Value* value) {
  const auto constant = toIValue(value);
  if (!constant || !constant->isScalar()) return std::nullopt;
  return constant->toScalar().toDouble();
}

std::optional<Pointwise> read_pointwise(const Node* node) {
  for (const auto& row : kPointwise) {
    if (row.kind != out_of_place(node)) continue;
    Pointwise found{row.name};
    return row.read == nullptr || row.read(node, found) ? std::optional(found) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace graft::graph
