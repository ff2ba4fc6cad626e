#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "graft/core/option_table.h"
#include "graft/train/loss.h"

namespace graft {

/// What some losses must know of the images that train.
struct TrainingCounts {
  std::vector<std::int64_t> classes;  ///< images of each class
  std::int64_t images = 0;
};

/// A loss that a recipe may name.
struct LossRow {
  std::string name;
  Json (*read_options)(JsonReader& reader);
  Loss (*make)(const Json& options, const TrainingCounts& counts);
  Task task = Task::kSingleLabel;  ///< that it serves
};

LossRow bce_loss();
LossRow asymmetric_multi_label_loss();
LossRow mse_loss();
LossRow l1_loss();
LossRow huber_loss();
LossRow smooth_l1_loss();
LossRow coral_loss();

/// In float32 at least.
at::Tensor widened(const at::Tensor& logits);
/// The mean of losses [N], each times the weight of its class and of its sample, as cross_entropy_loss takes it.
at::Tensor weighted_mean(const at::Tensor& losses, const at::Tensor& targets, const LossWeights& weights);

}  // namespace graft
