#pragma once
#include <torch/csrc/jit/api/module.h>

#include <cstdint>

#include "graft/head/head_spec.h"

namespace graft {

/// Whether a layer of the head starts from data: "init": "lsuv".
bool starts_from_data(const HeadSpec& spec);

/// Scales each linear layer of init lsuv, in order, until the variance of what it gives is within `tol` of 1, or
/// `max_iter` times (Mishkin and Matas 2016). BatchNorm layers normalise by the batch and keep their running
/// statistics, dropout is left out; the head is in eval mode afterwards.
/// @param features  float [N, num_features], N at least 2, on the head's device
void scale_to_unit_variance(torch::jit::Module& head, const HeadSpec& spec, at::Tensor features);

/// The same from the orthonormal weights with which build_head starts for this seed: the same features give the same
/// bits, whatever the weights are.
void start_from_data(torch::jit::Module& head, const HeadSpec& spec, std::uint64_t seed, const at::Tensor& features);

}  // namespace graft
