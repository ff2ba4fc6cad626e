#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "graft/core/trust.h"

namespace graft {

struct Artifact;

/// One thing that verify_artifact looked at.
struct Check {
  std::string name;
  bool passed = false;
  std::string detail;  ///< what was found, for people
};

/// Loads an artifact and holds it against itself: its tensors against their digest, its class names against its
/// outputs, and its answer to the synthetic images that it carries against the answer that it carries (Precision says
/// how near).
/// @throws Error when the file cannot be loaded as an artifact at all, or the scan refuses it: nothing of it is then
/// run.
std::vector<Check> verify_artifact(const std::filesystem::path& path, Trust trust = Trust::kScan);
/// The same of one that is loaded.
std::vector<Check> verify_artifact(Artifact& artifact);

}  // namespace graft
