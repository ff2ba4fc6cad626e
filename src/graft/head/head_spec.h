#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "graft/core/json.h"

namespace graft {

/// One layer of the head as the recipe names it.
struct HeadLayer {
  enum class Kind { kBatchNorm, kDropout, kLinear, kActivation };
  Kind kind = Kind::kLinear;
  double momentum = 0.1;                 ///< batch_norm
  double eps = 1e-5;                     ///< batch_norm
  double p = 0.5;                        ///< dropout
  std::int64_t width = 0;                ///< linear: outputs; 0 stands for "classes"
  bool bias = true;                      ///< linear
  std::string init = "kaiming_uniform";  ///< linear: a name of the initialisation table
  std::string activation;                ///< activation: a name of the activation table

  bool operator==(const HeadLayer&) const = default;
};

/// The recipe's "head": [{"batch_norm": {}}, {"dropout": 0.25}, {"linear": 256, "init": "kaiming_normal"},
/// {"activation": "relu"}, {"linear": "classes"}]. The last layer, and no other, is the linear one of width "classes".
struct HeadSpec {
  std::vector<HeadLayer> layers;

  bool operator==(const HeadSpec&) const = default;
};

HeadSpec read_head_spec(const Json& value, const std::string& path, std::vector<Problem>& problems);
Json to_json(const HeadSpec& spec);

}  // namespace graft
