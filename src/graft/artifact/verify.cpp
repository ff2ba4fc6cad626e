#include "graft/artifact/verify.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "graft/artifact/artifact.h"
#include "graft/artifact/precision.h"

namespace graft {
namespace {

Check check_digest(const Artifact& artifact) {
  const std::string digest = tensors_digest(artifact.module);
  return {"tensors", digest == artifact.metadata.tensors_sha256, "sha256 " + digest};
}

Check check_classes(const Artifact& artifact) {
  if (!artifact.module.hasattr("classes")) return {"classes", false, "the module has no attribute classes"};
  std::vector<std::string> names;
  for (const auto& name : artifact.module.attr("classes").toListRef()) names.push_back(name.toStringRef());
  return {"classes", names == artifact.metadata.classes, std::to_string(names.size()) + " classes"};
}

Check check_golden_pair(Artifact& artifact) {
  if (!artifact.module.hasattr("golden_images") || !artifact.module.hasattr("golden_probabilities"))
    return {"golden pair", false, "the module carries none"};
  torch::NoGradGuard no_grad;
  const at::Tensor expected = artifact.module.attr("golden_probabilities").toTensor();
  const at::Tensor answer = artifact.module.forward({artifact.module.attr("golden_images")}).toTensor();
  if (answer.sizes() != expected.sizes())
    return {"golden pair", false, c10::str("answers ", answer.sizes(), " for ", expected.sizes())};
  // Numbers in a unit of their own are compared as the network has them, and hold no more digits than a float.
  const auto last_step = artifact.module.attr("answer").toModule();
  const at::Tensor scale = artifact.metadata.gives_values() ? last_step.attr("scale").toTensor() : at::ones({1});
  const double difference = ((answer - expected) / scale).abs().max().item<double>();
  const double rounding = 4e-7 * (expected / scale).abs().max().item<double>();
  const Precision& precision = precision_of(artifact.metadata.precision);
  return {"golden pair", difference <= precision.golden_tolerance + rounding,
          c10::str("largest difference ", difference, " in ", precision.name)};
}

}  // namespace

std::vector<Check> verify_artifact(const std::filesystem::path& path, Trust trust) {
  Artifact artifact = load_artifact(path, trust);
  // What the scan refuses is never loaded: load_artifact has thrown.
  const Check scanned{"trust scan", true,
                      trust == Trust::kScan ? "the program only computes" : "left out: the file is trusted"};
  auto checks = verify_artifact(artifact);
  checks.insert(checks.begin(), scanned);
  return checks;
}

std::vector<Check> verify_artifact(Artifact& artifact) {
  return {check_digest(artifact), check_classes(artifact), check_golden_pair(artifact)};
}

}  // namespace graft
