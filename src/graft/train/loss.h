#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "graft/core/json.h"
#include "graft/data/dataset.h"

namespace graft {

/// The recipe's "loss", a name of the table with its options: {"cross_entropy": {"label_smoothing": 0.1}}.
struct LossSpec {
  std::string name = "cross_entropy";
  Json options = Json::object();  ///< as read: every option; by hand: some may be left out
};
/// In the table's order.
const std::vector<std::string>& loss_names();
LossSpec read_loss_spec(const Json& value, const std::string& path, std::vector<Problem>& problems);
Json to_json(const LossSpec& spec);
/// Those that serve a task, in the table's order.
std::vector<std::string> loss_names(Task task);

/// What a training step weighs its samples with; each may be undefined, which stands for all ones.
struct LossWeights {
  at::Tensor classes;  ///< [C]
  at::Tensor samples;  ///< [N], of the batch's samples

  /// Those of some of the samples.
  LossWeights of(const at::Tensor& rows) const;
  /// What each sample counts, [N] of this kind: its own weight times that of its class.
  at::Tensor counts(const at::Tensor& targets, const at::TensorOptions& options) const;
};

/// (logits [N, outputs] of any float type, targets as the task has them (labels_of), weights) -> float32 scalar
/// (float64 of float64 logits), the weighted mean over the batch.
using Loss = std::function<at::Tensor(const at::Tensor& logits, const at::Tensor& targets, const LossWeights& weights)>;
/// @param class_counts  training images of each class, which some losses need
/// @param images  training images, all of them
Loss make_loss(const LossSpec& spec, const std::vector<std::int64_t>& class_counts = {}, std::int64_t images = 0);

}  // namespace graft
