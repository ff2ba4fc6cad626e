#pragma once
#include <CLI/CLI.hpp>

#include <string>

#include "graft/backbone/classifier.h"

namespace graft::cli {

/// --features and --classifier, where a user says what the rules cannot tell.
struct FeaturesFlags {
  std::string path;
  std::string classifier;

  FeaturesChoice choice() const;
};

void add_features_flags(CLI::App& command, FeaturesFlags& flags);

}  // namespace graft::cli
