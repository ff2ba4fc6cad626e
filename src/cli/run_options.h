#pragma once
#include <CLI/CLI.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "features_flags.h"
#include "graft/train/trainer.h"

namespace graft::cli {

/// What a user says of a run: data, backbone and recipe.
struct RunOptions {
  std::string data, backbone, preset, recipe, device;
  std::vector<std::string> set;
  std::int64_t seed = -1;
  int threads = -1;
  FeaturesFlags features;
  Trust trust = Trust::kScan;
};

/// What only a new run takes: a resumed one has them in its folder.
struct NewRunFlags {
  CLI::Option* data;
  CLI::Option* backbone;
};
NewRunFlags add_run_options(CLI::App& command, RunOptions& options);
/// Those of them that say how the run goes: preset, recipe, --set, device, seed, threads.
std::vector<CLI::Option*> add_recipe_options(CLI::App& command, RunOptions& options);

/// What a run takes from this machine, and leaves for others.
RunEnvironment environment_of(const RunOptions& options);

/// Preset, card, recipe, --set, flags: each laid over what came before; "auto" looks at the photos. Without folder.
/// @throws Error for all that a recipe or a backbone's name can cause
RunSpec make_spec(const RunOptions& options, const RunEnvironment& environment);

/// Says what images are taken for where no card knows the backbone.
void print_input(std::FILE* out, const RunSpec& spec);

}  // namespace graft::cli
