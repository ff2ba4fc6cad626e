#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "graft/backbone/frozen_engine.h"
#include "graft/train/network.h"

namespace graft {

/// One way of computing the layers of a backbone that train.
struct StepTrial {
  StepFormat format;
  EngineError error;  ///< of the features, against the plain way
};

/// The fastest way that agrees with the plain one, as frozen engines have to: bfloat16 where the processor has
/// instructions for it, else maps in channels_last. It depends on values alone, never on a clock: equal runs choose
/// alike.
/// @param rows  real ones, float [n, …] crossing the network's boundary
/// @param bfloat16  may be used
StepTrial choose_step_format(Network& network, const at::Tensor& rows, bool bfloat16);

/// "plain", "channels_last", "bf16".
std::string to_string(StepFormat format);
/// @throws Error when no format is called so.
StepFormat step_format(const std::string& name);

}  // namespace graft
