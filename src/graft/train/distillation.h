#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "graft/core/json.h"
#include "graft/train/loss.h"

namespace graft {

/// The recipe's "distill": the answers of a trained network, the teacher, have a part in the loss (Hinton, Vinyals and
/// Dean 2015).
struct DistillSpec {
  std::filesystem::path teacher;  ///< TorchScript file; "" nobody teaches
  std::string sha256;             ///< of that file; "" not checked
  double alpha = 0.5;             ///< the teacher's part in the loss
  double temperature = 4;         ///< that logits are divided by

  bool distills() const { return !teacher.empty(); }
};
DistillSpec read_distill_spec(const Json& value, const std::string& path, std::vector<Problem>& problems);
/// The teacher's path is written relative to `base`.
Json to_json(const DistillSpec& spec, const std::filesystem::path& base);

/// T^2 KL(softmax(teacher / T) || softmax(student / T)) of logits [N, C] and [N, C], T the temperature -> float32
/// scalar (float64 of float64 logits of the student), the weighted mean over the batch (Hinton et al. 2015, section 2).
at::Tensor distillation_loss(const at::Tensor& student, const at::Tensor& teacher, double temperature,
                             const at::Tensor& targets, const LossWeights& weights);

/// What a teacher said of all training images.
struct Distillation {
  double alpha = 0.5;
  double temperature = 4;
  at::Tensor teacher;  ///< logits, float [N, C], on the CPU; undefined where nobody teaches

  /// (1 - alpha) loss + alpha distillation_loss, of some of the images.
  /// @param loss     of these images without a teacher
  /// @param rows     which they are, int64 [n]
  /// @param targets  and weights: theirs
  at::Tensor added_to(const at::Tensor& loss, const at::Tensor& logits, const at::Tensor& rows,
                      const at::Tensor& targets, const LossWeights& weights) const;
};

}  // namespace graft
