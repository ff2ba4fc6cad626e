#pragma once
#include <torch/csrc/jit/api/module.h>

#include <filesystem>
#include <string>

#include "graft/artifact/metadata.h"
#include "graft/core/trust.h"

namespace graft {

/// An exported model as it lies in the file.
struct Artifact {
  torch::jit::Module module;  ///< in eval mode; methods forward, logits, features, preprocess
  ArtifactMetadata metadata;
};

/// @param role  what the file is to the reader, as for load_torchscript
/// @throws Error when the file is no TorchScript, no artifact of Graft, damaged, or not to be trusted.
Artifact load_artifact(const std::filesystem::path& path, Trust trust = Trust::kScan,
                       const std::string& role = "artifact");

/// Whether a TorchScript file carries the metadata of an artifact.
/// @throws Error when it is no TorchScript file.
bool is_artifact(const std::filesystem::path& path, const std::string& role);

/// SHA-256 over name, type, shape and bytes of every parameter, buffer and other tensor (the golden pair), in order of
/// name.
std::string tensors_digest(const torch::jit::Module& module);

}  // namespace graft
