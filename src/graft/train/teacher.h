#pragma once
#include <c10/core/Device.h>
#include <torch/csrc/jit/api/module.h>

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "graft/core/trust.h"
#include "graft/data/dataset.h"
#include "graft/image/input_spec.h"
#include "graft/train/distillation.h"
#include "graft/train/frozen_activations.h"

namespace graft {

/// A trained network that says what it takes images for: an artifact of Graft, which prepares images in its own way, or
/// another TorchScript classifier.
class Teacher {
 public:
  /// @param spec     what its sha256 says is held against the file; where it says nothing it gets what was found
  /// @param classes  of the data, in their order
  /// @param input    how images are made for a teacher that is no artifact, whose logits are in the order of `classes`
  /// @throws Error naming distill.teacher when the file is another one, cannot be loaded, is not to be trusted, is an
  /// artifact for another task or other classes, does not answer images with float [N, classes], or, being no artifact,
  /// answers as a softmax does: other probabilities are taken for logits
  Teacher(DistillSpec& spec, std::vector<std::string> classes, const InputSpec& input, c10::Device device, Trust trust);

  /// What it is, for people.
  std::string summary() const;
  /// Looks at each image as for evaluation: float [N, classes] on the CPU, in the order of the data's classes, fewer
  /// after a stop. Computes batches side by side, each on one thread.
  /// @throws Error when an answer is no finite number
  at::Tensor logits(const Samples& samples, std::int64_t batch_size, const FrozenProgress& progress,
                    const std::stop_token& stop) const;

 private:
  void load_artifact(const DistillSpec& spec, Trust trust);
  /// Of normalised images [N, 3, S, S].
  at::Tensor answer(const at::Tensor& images) const;
  /// @param samples  that the rows are of, and more
  void check_finite(const at::Tensor& rows, const Samples& samples, std::int64_t begin) const;

  std::string subject_;
  std::string file_;  // its name
  std::vector<std::string> classes_;
  InputSpec input_;
  c10::Device device_;
  bool is_artifact_;
  torch::jit::Module module_;
  at::Tensor order_;  // int64 [classes], where its logits stand; undefined where they are in order
};

}  // namespace graft
