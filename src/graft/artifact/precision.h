#pragma once
#include <c10/core/ScalarType.h>

#include <string>
#include <vector>

namespace graft {

/// What the backbone of an artifact computes in. Its preprocessing, its head and all that its methods take and give are
/// float32 in any case (and images uint8). The tolerances are eight times as wide for bfloat16 as for half, as its
/// rounding is.
struct Precision {
  std::string name;     ///< "fp32", "bf16" or "fp16"
  at::ScalarType type;  ///< of the backbone's parameters and floating-point buffers
  double
      logit_tolerance;  ///< largest difference from the trained network's logits, as part of the largest (at least 1)
  double golden_tolerance;  ///< largest difference of a golden probability: other processors round otherwise
};

const std::vector<std::string>& precision_names();
/// `name` must be one of precision_names().
const Precision& precision_of(const std::string& name);

}  // namespace graft
