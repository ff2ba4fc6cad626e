#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graft/core/trust.h"

namespace at {
class Tensor;
}
namespace cv {
class Mat;
}

namespace graft {

struct Artifact;
struct ArtifactMetadata;

/// One class of one image.
struct ClassProbability {
  std::string label;
  std::int64_t index = 0;
  double probability = 0;
};

/// One number that a regression gives for one image, in the unit of its training labels.
struct OutputValue {
  std::string name;
  double value = 0;
};

/// What an artifact answers to one image: the probabilities of classes, or the values of a regression.
class Prediction {
 public:
  explicit Prediction(std::vector<ClassProbability> classes) : classes_(std::move(classes)) {}
  explicit Prediction(std::vector<OutputValue> values) : values_(std::move(values)) {}
  /// Every class in the artifact's order; none of a regression.
  const std::vector<ClassProbability>& classes() const { return classes_; }
  /// The `count` likeliest classes, best first.
  std::vector<ClassProbability> top(std::size_t count = 1) const;
  /// Every value in the artifact's order; none of a classification.
  const std::vector<OutputValue>& values() const { return values_; }

 private:
  std::vector<ClassProbability> classes_;
  std::vector<OutputValue> values_;
};

/// Runs an artifact: the same decoding, preprocessing and answer as in training and in Python. Safe to call from
/// several threads.
class Predictor {
 public:
  /// So many images that it pays to prepare for them.
  static constexpr std::size_t kMany = std::numeric_limits<std::size_t>::max();

  /// @param device  "cpu", "cuda", "cuda:N" or "auto"
  /// @param images  that it will be given, at most: to a few it has answered before its program is rewritten to run
  /// fast
  /// @throws Error when the file is no artifact, the scan refuses it, or the device is not there.
  static Predictor load(const std::filesystem::path& path, const std::string& device = "cpu",
                        Trust trust = Trust::kScan, std::size_t images = kMany);
  /// Of an artifact that is loaded already, whose module it moves to the device.
  static Predictor of(const Artifact& artifact, const std::string& device = "cpu", std::size_t images = kMany);

  /// The same model, whose answers are the mean of its probabilities over views of an image.
  /// @param views  one of averaged_view_names() (graft/image/averaged_views.h), such as "hflip" or "ten_crop"
  /// @throws Error when there are no such views, or the model's input leaves nothing to crop.
  Predictor averaging(const std::string& views) const;

  /// The same model, its backbone computed by other means.
  /// @param features  float [N, 3, S, S], normalised -> float [N, num_features], on the CPU; called from any thread
  Predictor computing_features(std::function<at::Tensor(const at::Tensor& images)> features) const;

  /// An image file. @throws Error when it cannot be read as an image.
  Prediction predict(const std::filesystem::path& image) const;
  /// An encoded image (JPEG, PNG, …) in memory.
  Prediction predict(std::span<const std::byte> encoded) const;
  /// An 8-bit image as OpenCV holds it: BGR, BGRA or grey.
  Prediction predict(const cv::Mat& image) const;
  /// Pixels: uint8 [H, W, 3] RGB.
  Prediction predict(const at::Tensor& pixels) const;
  /// Several files in one forward. @throws Error at the first that cannot be read.
  std::vector<Prediction> predict(const std::vector<std::filesystem::path>& images) const;

  /// What the network sees of an image file: uint8 [V, S, S, 3], one of each view.
  at::Tensor fitted(const std::filesystem::path& image) const;
  /// Of images that fitted() gave, in one forward.
  std::vector<Prediction> predict_fitted(const std::vector<at::Tensor>& images) const;
  /// Whether it computes there, or on a GPU.
  bool runs_on_cpu() const;
  /// How many images computed together run fastest.
  std::size_t batch_size() const;
  /// uint8 [N, V, S, S, 3] -> what the artifact's forward gives, float [N, classes] (of a regression: values), on the
  /// CPU. Computes batch_size() at a time.
  at::Tensor probabilities(const at::Tensor& fitted_images) const;

  const std::vector<std::string>& classes() const;
  const ArtifactMetadata& metadata() const;

 private:
  struct Model;
  explicit Predictor(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

  std::shared_ptr<const Model> model_;
  std::string views_ = "none";
};

}  // namespace graft
