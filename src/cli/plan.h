#pragma once
#include "run_options.h"

namespace graft::cli {

/// What a run would take, measured on this machine: a table, or JSON (to_json of RunCost).
/// @throws Error for whatever data, recipe or backbone can cause
void print_plan(const RunOptions& options, bool json);

}  // namespace graft::cli
