#include "graft/train/fast_predictor.h"

#include <torch/types.h>

#include <algorithm>

#include "graft/artifact/metadata.h"
#include "graft/backbone/frozen_engine.h"
#include "graft/core/error.h"
#include "graft/core/reason.h"
#include "graft/image/preprocess.h"
#include "graft/train/frozen_engines.h"

namespace graft {
namespace {

constexpr const char* kEngine = "onednn";
constexpr double kTolerance = 1e-4;  // of answers

bool gains_by_engine(const Predictor& predictor, std::size_t images) {
  return images >= kWorthComparing && predictor.runs_on_cpu() && predictor.metadata().precision == "fp32";
}

/// The first that can be read, as many as are computed together: uint8 [n, 1, S, S, 3], undefined where there are none.
at::Tensor example_of(const Predictor& predictor, const std::vector<std::filesystem::path>& images) {
  std::vector<at::Tensor> pixels;
  for (auto image = images.begin(); image != images.end() && pixels.size() < predictor.batch_size(); ++image) {
    try {
      pixels.push_back(predictor.fitted(*image).narrow(0, 0, 1));
    } catch (const Error&) {  // whoever asks for its prediction is told
    }
  }
  return pixels.empty() ? at::Tensor() : at::stack(pixels);
}

/// @throws std::exception where it cannot be had, saying why
Predictor computing_by_engine(const Predictor& predictor, const Backbone& backbone, const at::Tensor& pixels) {
  const at::Tensor rows = normalize_images(pixels.squeeze(1), predictor.metadata().input);
  const std::size_t features = backbone.last_boundary();
  const EngineTrial trial =
      try_engine(backbone, 0, features, {.kind = kEngine}, plain_example(backbone, 0, features, rows));
  TORCH_CHECK(trial.engine, trial.failure);
  Predictor fast = predictor.computing_features(*trial.engine);
  TORCH_CHECK(answer_alike(fast.probabilities(pixels), predictor.probabilities(pixels)),
              "it answers otherwise than the file");
  return fast;
}

void tell(const std::function<void(const std::string&)>& message, const std::exception& error) {
  message(std::string("the network runs as it is in the file, not by engine ") + kEngine + ": " +
          reason_in(error.what()));
}

}  // namespace

bool answer_alike(const at::Tensor& found, const at::Tensor& expected) {
  const double scale = std::max(1.0, expected.abs().max().item<double>());
  return (found - expected).abs().max().item<double>() <= kTolerance * scale;
}

std::optional<Predictor> with_engine(const Predictor& predictor, const Backbone& backbone,
                                     const std::vector<std::filesystem::path>& images,
                                     const std::function<void(const std::string&)>& message) {
  if (!gains_by_engine(predictor, images.size()) || !backbone.device().is_cpu()) return std::nullopt;
  const at::Tensor pixels = example_of(predictor, images);
  if (!pixels.defined()) return std::nullopt;
  try {
    return computing_by_engine(predictor, backbone, pixels);
  } catch (const std::exception& error) {
    tell(message, error);
    return std::nullopt;
  }
}

Predictor fast_predictor(const Predictor& predictor, const std::filesystem::path& artifact, Trust trust,
                         const std::vector<std::filesystem::path>& images,
                         const std::function<void(const std::string&)>& message) {
  if (!gains_by_engine(predictor, images.size())) return predictor;
  try {
    const Backbone backbone = Backbone::load(artifact, {.image_size = predictor.metadata().input.size, .trust = trust});
    return with_engine(predictor, backbone, images, message).value_or(predictor);
  } catch (const std::exception& error) {
    tell(message, error);
    return predictor;
  }
}

}  // namespace graft
