#pragma once
#include <CLI/CLI.hpp>

#include "graft/core/trust.h"

namespace graft::cli {

/// Adds --trust, which sets Trust::kAnything and says so on standard error.
void add_trust_flag(CLI::App& command, Trust& trust);

}  // namespace graft::cli
