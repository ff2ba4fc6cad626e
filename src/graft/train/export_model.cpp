#include "graft/train/export_run.h"

#include <torch/torch.h>

#include <algorithm>

#include "graft/artifact/predictor.h"
#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/hash.h"
#include "graft/core/runtime.h"
#include "graft/data/activations.h"
#include "graft/export/export_artifact.h"
#include "graft/head/build_head.h"
#include "graft/image/preprocess.h"
#include "graft/train/evaluate.h"

namespace graft {
namespace {

constexpr std::size_t kProofImages = 4;

std::map<std::string, at::Tensor> under(const std::map<std::string, at::Tensor>& tensors, const std::string& prefix) {
  std::map<std::string, at::Tensor> found;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with(prefix)) found[name.substr(prefix.size())] = tensor;
  return found;
}

std::map<std::string, at::Tensor> tensors_of(const torch::jit::Module& module) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& parameter : module.named_parameters()) tensors[parameter.name] = parameter.value;
  for (const auto& buffer : module.named_buffers()) tensors[buffer.name] = buffer.value;
  return tensors;
}

ArtifactMetadata metadata_of(const FinishedRun& run) {
  ArtifactMetadata metadata;
  metadata.task = run.recipe.task;
  metadata.classes = run.dataset.classes;
  metadata.input = run.recipe.input;
  metadata.num_features = run.network.backbone().num_features();
  Recipe portable = run.recipe;
  portable.backbone = portable.backbone.filename();
  metadata.recipe = to_json(portable, {});
  metadata.backbone = run.backbone_facts;
  metadata.backbone["file"] = run.recipe.backbone.filename().string();
  metadata.backbone["sha256"] = sha256_file(run.recipe.backbone);
  Json images;
  for (const Split split : {Split::kTrain, Split::kVal, Split::kTest})
    images[to_string(split)] = run.dataset.of(split).size();
  metadata.data = {{"name", run.dataset.name}, {"images", images}, {"skipped", run.dataset.skipped.size()}};
  return metadata;
}

torch::jit::Module compose(const FinishedRun& run, const ArtifactMetadata& metadata) {
  Backbone backbone = run.network.backbone().reload();
  backbone.set_tensors(under(run.best, "backbone."));
  auto head =
      build_head(run.recipe.head, backbone.num_features(), static_cast<std::int64_t>(metadata.classes.size()), 0);
  restore_tensors(tensors_of(head), under(run.best, "head."), "best head");
  return compose_artifact(backbone.module(), head, metadata);
}

/// A few validation images as the network sees them.
at::Tensor proof_images(const FinishedRun& run) {
  auto samples = run.dataset.of(Split::kVal);
  samples.resize(std::min(samples.size(), kProofImages));
  std::vector<at::Tensor> images;
  for (const auto& sample : samples) images.push_back(load_image(sample, run.recipe.input, {}, 0));
  return normalize_images(at::stack(images), run.recipe.input);
}

at::Tensor trained_logits(const FinishedRun& run, const at::Tensor& images) {
  torch::NoGradGuard no_grad;
  Network& network = run.network;
  auto tensors = tensors_of(network.head());
  restore_tensors(tensors, under(run.best, "head."), "best head");
  network.backbone().set_tensors(under(run.best, "backbone."));
  network.eval();
  const at::Tensor features = network.backbone().module().forward({images.to(network.device())}).toTensor();
  return network.head().forward({features}).toTensor().cpu();
}

Json measure(const FinishedRun& run, const std::filesystem::path& file) {
  const Predictor predictor = Predictor::load(file, "cpu", run.trust);
  Json metrics;
  for (const Split split : {Split::kVal, Split::kTest})
    if (run.dataset.has(split))
      metrics[to_string(split)] =
          to_json(evaluate(predictor, run.dataset.of(split), thread_count(), [](std::size_t) {}));
  return metrics;
}

}  // namespace

Json export_run(const FinishedRun& run, const RunFolder& folder,
                const std::function<void(const std::string&)>& message) {
  ArtifactMetadata metadata = metadata_of(run);
  const auto module = compose(run, metadata);
  message("exporting " + folder.model().string());
  // The name model.pt appears once the file is proven and carries its own figures.
  replace_file(folder.model(), [&](const std::filesystem::path& temporary) {
    save_artifact(temporary, module, metadata);
    const at::Tensor images = proof_images(run);
    prove_artifact(temporary, images, trained_logits(run, images), run.trust);
    message("measuring the exported file on the validation images");
    metadata.metrics = measure(run, temporary);
    save_artifact(temporary, module, metadata);
  });
  replace_file(folder.metrics(), metadata.metrics.dump(2) + "\n");
  return metadata.metrics;
}

}  // namespace graft
