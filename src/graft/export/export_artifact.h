#pragma once
#include <torch/csrc/jit/api/module.h>

#include <filesystem>

#include "graft/artifact/artifact.h"

namespace graft {

/// One TorchScript module of preprocessing, backbone, head, last step, class names and a golden pair: the artifact
/// before it is a file. The backbone is converted to metadata.precision.
/// @param backbone  forward(float [N, 3, S, S]) -> [N, num_features]; no method beside it
/// @param head  forward([N, num_features]) -> [N, outputs]
/// @param answer  forward([N, outputs]) -> [N, classes], see answer_module
/// @throws Error when the backbone cannot compute in the precision
torch::jit::Module compose_artifact(torch::jit::Module backbone, torch::jit::Module head, torch::jit::Module answer,
                                    const ArtifactMetadata& metadata);

/// Writes the artifact (temporary name, sync, rename) and fills in metadata.tensors_sha256 and versions.
void save_artifact(const std::filesystem::path& path, const torch::jit::Module& module, ArtifactMetadata& metadata);

/// Compares the logits of an artifact that was loaded anew on `images` (float [N, 3, S, S]) with those expected.
/// @param path  its file, for the error
/// @throws Error when they differ by more than the artifact's precision allows, or verify_artifact finds a fault.
void prove_artifact(Artifact& artifact, const std::filesystem::path& path, const at::Tensor& images,
                    const at::Tensor& expected_logits);

}  // namespace graft
