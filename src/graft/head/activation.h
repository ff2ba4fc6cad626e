#pragma once
#include <string>
#include <vector>

namespace graft {

/// Names that "activation" takes, in the table's order: torch.nn's modules with their options and defaults, and maxout.
const std::vector<std::string>& activation_names();

}  // namespace graft
