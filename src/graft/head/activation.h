#pragma once
#include <optional>
#include <string>
#include <vector>

namespace graft {

/// One row of the activation table: torch.nn's module of that name with its default options.
struct Activation {
  std::string name;
  std::string expression;                ///< TorchScript, of `x` and `self.weight`
  std::optional<double> initial_weight;  ///< of the learned slope, for those that have one
};

/// Names that "activation" takes, in the table's order.
const std::vector<std::string>& activation_names();

/// The row called `name`, which must be one of the table's.
const Activation& activation_named(const std::string& name);

}  // namespace graft
