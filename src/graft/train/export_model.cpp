#include "graft/train/export_model.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "graft/artifact/artifact.h"
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
#include "graft/train/fast_predictor.h"
#include "graft/train/task.h"

namespace graft {
namespace {

constexpr std::size_t kProofImages = 2;  // as many as a backbone is loaded with: oneDNN knows the shapes
constexpr std::size_t kSpotChecks = 8;
constexpr std::int64_t kRowsAtOnce = 4096;  // of a head, whose hidden layers take more memory than its features

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

ArtifactMetadata metadata_of(const ModelSource& source) {
  ArtifactMetadata metadata;
  metadata.task = to_string(source.recipe.task);
  metadata.precision = source.precision;
  metadata.classes = source.dataset.classes;
  metadata.input = source.recipe.input;
  metadata.num_features = source.network.backbone().num_features();
  Recipe portable = source.recipe;
  portable.backbone = portable.backbone.filename();
  portable.distill.teacher = portable.distill.teacher.filename();
  metadata.recipe = to_json(portable, {});
  metadata.backbone = source.backbone_facts;
  metadata.backbone["file"] = source.recipe.backbone.filename().string();
  metadata.backbone["sha256"] = sha256_file(source.recipe.backbone);
  Json images;
  for (const Split split : {Split::kTrain, Split::kVal, Split::kTest})
    images[to_string(split)] = source.dataset.of(split).size();
  metadata.data = {{"name", source.dataset.name}, {"images", images}, {"skipped", source.dataset.skipped.size()}};
  return metadata;
}

void set_tensors(Network& network, const std::map<std::string, at::Tensor>& tensors) {
  restore_tensors(tensors_of(network.head()), under(tensors, "head."), "head");
  network.backbone().set_tensors(under(tensors, "backbone."));
  network.eval();
}

torch::jit::Module compose(const ModelSource& source, const ArtifactMetadata& metadata) {
  Backbone backbone = source.network.backbone().reload();
  backbone.set_tensors(under(source.tensors, "backbone."));
  auto head = build_head(source.recipe.head, backbone.num_features(), head_outputs(source.dataset), 0);
  restore_tensors(tensors_of(head), tensors_of(source.network.head()), "head");
  return compose_artifact(backbone.module(), head, answer_module(source.dataset), metadata);
}

/// A few validation images as the network sees them.
at::Tensor proof_images(const ModelSource& source) {
  std::vector<at::Tensor> images;
  for (const auto& sample : source.dataset.of(Split::kVal).first(kProofImages))
    images.push_back(load_image(sample, source.recipe.input, {}, 0));
  return normalize_images(at::stack(images), source.recipe.input);
}

at::Tensor logits_of(Network& network, const at::Tensor& images) {
  torch::NoGradGuard no_grad;
  const at::Tensor features = network.backbone().module().forward({images.to(network.device())}).toTensor();
  return network.head().forward({features}).toTensor().cpu();
}

at::Tensor answers_to(const at::Tensor& features, const torch::jit::Module& model) {
  const torch::NoGradGuard no_grad;
  auto head = model.attr("head").toModule(), answer = model.attr("answer").toModule();
  std::vector<at::Tensor> rows;
  for (const auto& some : features.split(kRowsAtOnce))
    rows.push_back(answer.forward({head.forward({some}).toTensor()}).toTensor());
  return at::cat(rows);
}

at::Tensor all_probabilities(const Predictor& predictor, const Samples& samples) {
  return probabilities_of(predictor, samples, thread_count(), [](std::size_t) {});
}

/// Whether the whole file gives these answers to some of the images.
bool gives(const Predictor& predictor, const Samples& samples, const at::Tensor& answers) {
  const at::Tensor expected = answers.index_select(0, at::tensor(spread(samples.size(), kSpotChecks)));
  return answer_alike(all_probabilities(predictor, some_of(samples, kSpotChecks)), expected);
}

/// The splits that are measured and whose features are not known.
std::vector<Split> splits_to_run(const ModelSource& source) {
  std::vector<Split> splits;
  if (!source.val_features.defined()) splits.push_back(Split::kVal);
  if (source.dataset.has(Split::kTest)) splits.push_back(Split::kTest);
  return splits;
}

std::vector<std::filesystem::path> photos_to_run(const ModelSource& source) {
  std::vector<std::filesystem::path> photos;
  for (const Split split : splits_to_run(source))
    std::ranges::move(paths_of(source.dataset.of(split)), std::back_inserter(photos));
  return photos;
}

/// The exported file, measured.
class Measuring {
 public:
  Measuring(const ModelSource& source, const Artifact& artifact, std::function<void(const std::string&)> message)
      : source_(source),
        artifact_(artifact),
        message_(std::move(message)),
        photos_(photos_to_run(source)),
        predictor_(Predictor::of(artifact, "cpu", photos_.empty() ? kSpotChecks : Predictor::kMany)),
        fast_(with_engine(predictor_, source.network.backbone(), photos_, message_)) {}

  at::Tensor answers(Split split) const {
    const auto samples = source_.dataset.of(split);
    const at::Tensor found = fast_answers(split, samples);
    if (!found.defined()) return all_probabilities(predictor_, samples);
    if (gives(predictor_, samples, found)) return found;
    message_("the file itself answers otherwise to " + to_string(split) + " images: it is run on all of them");
    return all_probabilities(Predictor::of(artifact_), samples);  // predictor_ may be for a few
  }

 private:
  /// The file's head on features that are known, or are computed faster than the file's backbone does; undefined where
  /// neither is.
  at::Tensor fast_answers(Split split, const Samples& samples) const {
    if (split == Split::kVal && source_.val_features.defined())
      return answers_to(source_.val_features, artifact_.module);
    return fast_ ? all_probabilities(*fast_, samples) : at::Tensor();
  }

  const ModelSource& source_;
  const Artifact& artifact_;
  std::function<void(const std::string&)> message_;
  std::vector<std::filesystem::path> photos_;
  Predictor predictor_;
  std::optional<Predictor> fast_;
};

Json figures(const at::Tensor& answers, const Samples& samples, const Dataset& dataset) {
  return to_json(task_row(dataset.task).measure(answers, labels_of(samples), dataset.classes, score_names()));
}

/// What the file will be found to do, where that is known before it is written: it is written once then.
Json expected_metrics(const ModelSource& source, const torch::jit::Module& module) {
  if (!source.val_features.defined()) return Json::object();
  const auto samples = source.dataset.of(Split::kVal);
  return {{to_string(Split::kVal), figures(answers_to(source.val_features, module), samples, source.dataset)}};
}

ExportedModel measure(const ModelSource& source, const Artifact& artifact,
                      const std::function<void(const std::string&)>& message) {
  const Measuring file(source, artifact, message);
  ExportedModel exported;
  for (const Split split : {Split::kVal, Split::kTest}) {
    if (!source.dataset.has(split)) continue;
    const auto samples = source.dataset.of(split);
    const at::Tensor rows = file.answers(split);
    exported.metrics[to_string(split)] = figures(rows, samples, source.dataset);
    if (split == Split::kVal) exported.val_probabilities = rows;
  }
  return exported;
}

}  // namespace

ExportedModel export_model(const ModelSource& source, const std::filesystem::path& file,
                           const std::function<void(const std::string&)>& message) {
  set_tensors(source.network, source.tensors);
  ArtifactMetadata metadata = metadata_of(source);
  const auto module = compose(source, metadata);
  metadata.metrics = expected_metrics(source, module);
  ExportedModel exported;
  message("exporting " + file.string());
  replace_file(file, [&](const std::filesystem::path& temporary) {
    save_artifact(temporary, module, metadata);
    const at::Tensor images = proof_images(source);
    Artifact artifact = load_artifact(temporary, source.trust);
    prove_artifact(artifact, temporary, images, logits_of(source.network, images));
    message("measuring the exported file on the validation images");
    exported = measure(source, artifact, message);
    exported.images = metadata.data["images"];
    if (metadata.metrics == exported.metrics) return;
    metadata.metrics = exported.metrics;
    save_artifact(temporary, module, metadata);
  });
  return exported;
}

}  // namespace graft
