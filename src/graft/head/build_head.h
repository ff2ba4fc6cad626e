#pragma once
#include <torch/csrc/jit/api/module.h>

#include <cstdint>

#include "graft/head/head_spec.h"

namespace graft {

/// Emits the head as one ScriptModule that trains and exports as it is: `forward(x)` takes float [N, num_features] to
/// [N, num_outputs]. Its submodules are named KIND_INDEX in order (batch_norm_0, dropout_1, linear_2, …), so that
/// parameters read linear_2.weight [out, in].
/// @param seed  seed of the initialisation; the same seed gives the same bits
torch::jit::Module build_head(const HeadSpec& spec, std::int64_t num_features, std::int64_t num_outputs,
                              std::uint64_t seed);

}  // namespace graft
