#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "graft/backbone/frozen_engine.h"
#include "graft/train/network.h"

namespace graft {

/// One way of computing the layers of a backbone that train.
struct StepTrial {
  StepFormat format;
  EngineError error{};         ///< of the features, against the plain way
  double rows_per_second = 0;  ///< forward and backward; 0: not timed
};

struct StepSearch {
  bool bfloat16 = false;              ///< may be used
  std::optional<StepFormat> known{};  ///< what an earlier search found fastest
  std::int64_t timed_rows = 0;        ///< of a step by which ways are timed; 0: they are not
};

/// A way that agrees with the plain one, as frozen engines have to, in which the network computes from here on: the
/// known one, else the fastest where they are timed, else the first of bfloat16 (where the processor has instructions
/// for it), channels_last and plain. Leaves the network's tensors and gradients as they were.
/// @param rows  real ones, float [n, …] crossing the network's boundary
StepTrial choose_step_format(Network& network, const at::Tensor& rows, const StepSearch& search);

/// "plain", "channels_last", "bf16".
std::string to_string(StepFormat format);
/// @throws Error when no format is called so.
StepFormat step_format(const std::string& name);

}  // namespace graft
