#pragma once
#include <optional>

#include "graft/backbone/graph.h"
#include "graft/backbone/onednn_program.h"

namespace graft::graph {

/// The kind of a node without the underscore: "aten::relu" for `aten::relu_` too. What nothing else reads may be
/// overwritten or not.
std::string_view out_of_place(const Node* node);

/// oneDNN's name of SiLU.
constexpr const char* kSwish = "swish";

/// A number that the graph holds as a constant.
std::optional<double> constant_number(const Value* value);

/// The activation that a node computes, where oneDNN has it and its options are constants.
std::optional<Pointwise> read_pointwise(const Node* node);

}  // namespace graft::graph
