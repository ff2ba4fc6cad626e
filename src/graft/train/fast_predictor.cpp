#include "graft/train/fast_predictor.h"

#include <torch/types.h>

#include "graft/artifact/metadata.h"
#include "graft/backbone/frozen_engine.h"
#include "graft/core/error.h"
#include "graft/image/preprocess.h"

namespace graft {
namespace {

constexpr std::size_t kWorthAnEngine = 100;  // images, from which on it saves more than it takes to compile one
constexpr const char* kEngine = "onednn";

bool gains_by_engine(const Predictor& predictor, std::size_t images) {
  return images >= kWorthAnEngine && predictor.runs_on_cpu() && predictor.metadata().precision == "fp32";
}

/// The first that can be read, as the network sees them: float [n, 3, S, S], n what is computed together.
at::Tensor example_of(const Predictor& predictor, const std::vector<std::filesystem::path>& images) {
  std::vector<at::Tensor> pixels;
  for (auto image = images.begin(); image != images.end() && pixels.size() < predictor.batch_size(); ++image) {
    try {
      pixels.push_back(predictor.fitted(*image)[0]);
    } catch (const Error&) {  // whoever asks for its prediction is told
    }
  }
  return pixels.empty() ? at::Tensor() : normalize_images(at::stack(pixels), predictor.metadata().input);
}

}  // namespace

std::optional<Predictor> with_engine(const Predictor& predictor, const Backbone& backbone,
                                     const std::vector<std::filesystem::path>& images,
                                     const std::function<void(const std::string&)>& message) {
  if (!gains_by_engine(predictor, images.size()) || !backbone.device().is_cpu()) return std::nullopt;
  const at::Tensor rows = example_of(predictor, images);
  if (!rows.defined()) return std::nullopt;
  const std::size_t features = backbone.last_boundary();
  EngineTrial trial = try_engine(backbone, 0, features, {.kind = kEngine}, plain_example(backbone, 0, features, rows));
  if (trial.engine) return predictor.computing_features(*std::move(trial.engine));
  message(std::string("the network runs as it is in the file, engine ") + kEngine + ": " + trial.failure);
  return std::nullopt;
}

Predictor fast_predictor(const Predictor& predictor, const std::filesystem::path& artifact, Trust trust,
                         const std::vector<std::filesystem::path>& images,
                         const std::function<void(const std::string&)>& message) {
  if (!gains_by_engine(predictor, images.size())) return predictor;
  const Backbone backbone = Backbone::load(artifact, {.image_size = predictor.metadata().input.size, .trust = trust});
  return with_engine(predictor, backbone, images, message).value_or(predictor);
}

}  // namespace graft
