#pragma once
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "graft/core/json.h"

namespace graft {

/// The recipe's "init": a name of the table with its options.
struct InitSpec {
  std::string name = "default";
  Json options = Json::object();
};

/// Names that "init" takes: default (what torch.nn.Linear starts with), and torch.nn.init's kaiming_uniform,
/// kaiming_normal, xavier_uniform, xavier_normal, normal, trunc_normal, orthogonal, zeros, with their options, and
/// lsuv, which is orthogonal until lsuv.h scales it. Biases are zero but for the first.
const std::vector<std::string>& initialization_names();

/// The member "init" of a layer, with its options filled in: {"kaiming_normal": {"a": 0.0, …}}.
Json read_init(JsonReader& reader);
/// What `read_init` has put into a layer.
InitSpec init_of(const Json& layer);

/// Fills weight [out, in] and bias [out] (may be undefined) in place. `generator` is a CPU generator, whatever the
/// device of the weight; the same state of it gives the same numbers, PyTorch's.
void initialize_linear(const InitSpec& spec, const at::Tensor& weight, const at::Tensor& bias, at::Generator generator);

}  // namespace graft
