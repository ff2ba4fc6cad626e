#include "graft/artifact/predictor.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/passes/freeze_module.h>
#include <torch/csrc/jit/passes/frozen_graph_optimizations.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "graft/artifact/artifact.h"
#include "graft/artifact/precision.h"
#include "graft/core/device.h"
#include "graft/core/error.h"
#include "graft/image/averaged_views.h"
#include "graft/image/decode.h"
#include "graft/image/preprocess.h"

namespace graft {

struct Predictor::Model {
  ArtifactMetadata metadata;
  torch::jit::Module module;  // `logits` is what runs
  torch::jit::Module head;    // of features
  torch::jit::Module answer;  // of logits
  c10::Device device = c10::kCPU;
  std::function<at::Tensor(const at::Tensor& images)> features{};  // where they do not come from the module

  at::Tensor logits(const at::Tensor& images) const {
    if (features) return head.get_method("forward")({features(images)}).toTensor();
    return module.get_method("logits")({images}).toTensor();
  }
};

namespace {

/// Images from which it pays to optimise, which gains a tenth on each.
constexpr std::size_t kWorthOptimizing = 32;

/// On a CPU few enough that what flows between layers stays in its caches.
constexpr std::size_t kImages = 8;
constexpr std::size_t kImagesOnGpu = 64;

/// Convolutions run faster on channels_last weights, and constants may be folded, normalisations into convolutions too;
/// not those of reduced precision, which would be rounded once more.
torch::jit::Module optimized(const torch::jit::Module& module, const ArtifactMetadata& metadata) {
  torch::NoGradGuard no_grad;
  for (auto parameter : module.parameters())
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
  auto frozen = torch::jit::freeze_module(module, std::vector<std::string>{"logits"});
  auto graph = frozen.get_method("logits").graph();
  torch::jit::OptimizeFrozenGraph(graph, precision_of(metadata.precision).type == at::kFloat);
  return frozen;
}

}  // namespace

std::vector<ClassProbability> Prediction::top(std::size_t count) const {
  auto ranked = classes_;
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.probability > b.probability; });
  ranked.resize(std::min(count, ranked.size()));
  return ranked;
}

Predictor Predictor::load(const std::filesystem::path& path, const std::string& device, Trust trust,
                          std::size_t images) {
  resolve_device(device);  // before a file is read for one that is not there
  return of(load_artifact(path, trust), device, images);
}

Predictor Predictor::of(const Artifact& artifact, const std::string& device, std::size_t images) {
  auto model = std::make_shared<Model>();
  model->device = resolve_device(device);
  model->metadata = artifact.metadata;
  model->module = artifact.module;
  model->module.to(model->device);
  if (images >= kWorthOptimizing) model->module = optimized(model->module, model->metadata);
  model->head = artifact.module.attr("head").toModule();
  model->answer = artifact.module.attr("answer").toModule();
  return Predictor(std::move(model));
}

Predictor Predictor::computing_features(std::function<at::Tensor(const at::Tensor& images)> features) const {
  auto model = std::make_shared<Model>(*model_);
  model->features = std::move(features);
  Predictor other = *this;
  other.model_ = std::move(model);
  return other;
}

Predictor Predictor::averaging(const std::string& views) const {
  check_averaged_views(views, metadata().input);
  Predictor averaged = *this;
  averaged.views_ = views;
  return averaged;
}

const ArtifactMetadata& Predictor::metadata() const { return model_->metadata; }
const std::vector<std::string>& Predictor::classes() const { return model_->metadata.classes; }

at::Tensor Predictor::fitted(const std::filesystem::path& image) const {
  const InputSpec& input = metadata().input;
  const at::Tensor pixels = decode_image_file(image, {.target = input.full_decode ? 0 : input.resized_side()});
  return averaged_views(pixels, input, views_);
}

bool Predictor::runs_on_cpu() const { return model_->device.is_cpu(); }

std::size_t Predictor::batch_size() const { return runs_on_cpu() ? kImages : kImagesOnGpu; }

at::Tensor Predictor::probabilities(const at::Tensor& fitted_images) const {
  torch::NoGradGuard no_grad;
  const auto answer = model_->answer.get_method("forward");
  std::vector<at::Tensor> rows;
  for (const auto& some : fitted_images.flatten(0, 1).split(static_cast<std::int64_t>(batch_size()))) {
    const at::Tensor images = normalize_images(some.to(model_->device), metadata().input);
    rows.push_back(answer({model_->logits(images).to(at::kFloat)}).toTensor().cpu());
  }
  return at::cat(rows).unflatten(0, {fitted_images.size(0), fitted_images.size(1)}).mean(1);
}

std::vector<Prediction> Predictor::predict_fitted(const std::vector<at::Tensor>& images) const {
  if (images.empty()) return {};
  const at::Tensor rows = probabilities(at::stack(images)).contiguous();
  std::vector<Prediction> predictions;
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    std::vector<ClassProbability> scored;
    std::vector<OutputValue> values;
    for (std::size_t c = 0; c < classes().size(); ++c) {
      const auto index = static_cast<std::int64_t>(c);
      const double number = rows[i][index].item<double>();
      if (metadata().gives_values())
        values.push_back({classes()[c], number});
      else
        scored.push_back({classes()[c], index, number});
    }
    predictions.push_back(values.empty() ? Prediction(std::move(scored)) : Prediction(std::move(values)));
  }
  return predictions;
}

Prediction Predictor::predict(const std::filesystem::path& image) const {
  return predict_fitted({fitted(image)}).front();
}

Prediction Predictor::predict(std::span<const std::byte> encoded) const {
  const InputSpec& input = metadata().input;
  return predict(decode_image(encoded, {.target = input.full_decode ? 0 : input.resized_side()}, "image in memory"));
}

Prediction Predictor::predict(const cv::Mat& image) const { return predict(image_from_mat(image)); }

Prediction Predictor::predict(const at::Tensor& pixels) const {
  if (pixels.dim() != 3 || pixels.size(2) != 3 || pixels.scalar_type() != at::kByte || pixels.numel() == 0)
    throw Error({"pixels", "are " + c10::str(pixels.scalar_type(), " ", pixels.sizes()), "uint8 [H, W, 3]", ""});
  return predict_fitted({averaged_views(pixels, metadata().input, views_)}).front();
}

std::vector<Prediction> Predictor::predict(const std::vector<std::filesystem::path>& images) const {
  if (images.empty()) return {};
  std::vector<at::Tensor> rows;
  for (const auto& image : images) rows.push_back(fitted(image));
  return predict_fitted(rows);
}

}  // namespace graft
