#pragma once
#include <torch/csrc/jit/api/module.h>

#include <cstdint>
#include <vector>

#include "graft/head/head_spec.h"

namespace graft {

/// Emits the head as one ScriptModule that trains and exports as it is: `forward(x)` takes float [N, num_features] to
/// [N, num_outputs]. Its submodules are named KIND_INDEX in order (batch_norm_0, dropout_1, linear_2, …), so that
/// parameters read linear_2.weight [out, in].
/// @param seed  seed of the initialisation; the same seed gives the same bits
/// @param class_counts  training images of each class, for a bias of "prior", which starts from zero without them
/// @throws Error when a layer does not fit the one before
torch::jit::Module build_head(const HeadSpec& spec, std::int64_t num_features, std::int64_t num_outputs,
                              std::uint64_t seed, const std::vector<std::int64_t>& class_counts = {});

}  // namespace graft
