#pragma once
#include <CLI/CLI.hpp>

#include <string>

namespace graft::cli {

/// Adds --tta, which names the views of a photo over which the answer is averaged.
void add_views_flag(CLI::App& command, std::string& views);

}  // namespace graft::cli
