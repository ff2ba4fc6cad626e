#pragma once
#include <torch/csrc/jit/api/module.h>

#include <optional>

#include "graft/core/source_scan.h"

namespace graft {

/// Looks at a loaded program: every operator of every function against the table (is_allowed_operator), calls that
/// lead back to their caller or unfold to more than an executor can hold, attributes that are not of their declared
/// type. Nothing is run.
/// @returns nothing when it may be run.
std::optional<Refusal> scan_module(const torch::jit::Module& module);

}  // namespace graft
