#pragma once
#include <vector>

#include "graft/data/audit.h"

namespace graft {

/// Runs the table of checks over data that has been looked at, harm first.
std::vector<Finding> find_in(const Audit& audit);

}  // namespace graft
