#include "graft/head/activation.h"

#include <c10/util/Exception.h>

#include <algorithm>

namespace graft {
namespace {

const std::vector<Activation>& table() {
  static const std::vector<Activation> kTable{
      {"relu", "torch.relu(x)", {}},
      {"relu6", "torch.relu6(x)", {}},
      {"leaky_relu", "torch.leaky_relu(x)", {}},
      {"prelu", "torch.prelu(x, self.weight)", 0.25},
      {"rrelu", "torch.rrelu(x, 0.125, 0.3333333333333333, self.training)", {}},
      {"elu", "torch.elu(x)", {}},
      {"selu", "torch.selu(x)", {}},
      {"celu", "torch.celu(x)", {}},
      {"gelu", "torch.gelu(x)", {}},
      {"silu", "torch.silu(x)", {}},
      {"mish", "torch.mish(x)", {}},
      {"hardswish", "torch.hardswish(x)", {}},
      {"hardsigmoid", "torch.hardsigmoid(x)", {}},
      {"sigmoid", "torch.sigmoid(x)", {}},
      {"tanh", "torch.tanh(x)", {}},
      {"softplus", "torch.softplus(x)", {}},
  };
  return kTable;
}

}  // namespace

const std::vector<std::string>& activation_names() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const auto& row : table()) names.push_back(row.name);
    return names;
  }();
  return kNames;
}

const Activation& activation_named(const std::string& name) {
  const auto found =
      std::find_if(table().begin(), table().end(), [&](const Activation& row) { return row.name == name; });
  TORCH_CHECK(found != table().end(), "no activation is called '", name, "'");
  return *found;
}

}  // namespace graft
