#pragma once
#include <vector>

#include "graft/data/audit.h"

namespace graft {

/// Runs the table of checks over data that has been looked at, harm first.
std::vector<Finding> find_in(const Audit& audit);

/// How many readable images of a class a split has; what the source gives no split trains.
std::int64_t images_of(const Dataset& dataset, std::size_t label, Split split);

}  // namespace graft
