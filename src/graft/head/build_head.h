#pragma once
#include <torch/csrc/jit/api/module.h>

#include <cstdint>
#include <vector>

#include "graft/head/head_spec.h"

namespace graft {

/// What "classes" stands for at the end of a head.
struct HeadOutputs {
  std::int64_t count = 0;
  /// One vector of weights for all outputs, which differ by their biases alone (Cao et al. 2020); a linear layer only.
  bool one_weight = false;

  // A plain number of outputs is the usual case.
  HeadOutputs(std::int64_t number, bool share = false) : count(number), one_weight(share) {}  // NOLINT
};

/// Emits the head as one ScriptModule that trains and exports as it is: `forward(x)` takes float [N, num_features] to
/// [N, outputs.count]. Its submodules are named KIND_INDEX in order (batch_norm_0, dropout_1, linear_2, …), so that
/// parameters read linear_2.weight [out, in] ([1, in] of outputs with one weight).
/// @param seed  seed of the initialisation; the same seed gives the same bits
/// @param class_counts  training images of each class, for a bias of "prior", which starts from zero without them
/// @throws Error when a layer does not fit the one before
torch::jit::Module build_head(const HeadSpec& spec, std::int64_t num_features, const HeadOutputs& outputs,
                              std::uint64_t seed, const std::vector<std::int64_t>& class_counts = {});

}  // namespace graft
