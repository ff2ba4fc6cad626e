#include "graft/train/task.h"

#include <ATen/ATen.h>

#include "graft/core/names.h"
#include "graft/head/head_layer.h"
#include "graft/train/evaluate.h"

namespace graft {
namespace {

HeadOutputs one_each(std::int64_t classes) { return classes; }
HeadOutputs thresholds(std::int64_t classes) { return {classes - 1, true}; }

constexpr const char* kSoftmax = "    return torch.softmax(x, 1)\n";
constexpr const char* kSigmoid = "    return torch.sigmoid(x)\n";
constexpr const char* kUnit = "    return x * self.scale + self.shift\n";
// Thresholds that cross would make a class less than impossible: such a one gets 0, the others add up to 1.
constexpr const char* kBetweenThresholds = R"(
    above = torch.sigmoid(x)
    edge = torch.ones_like(above[:, :1])
    each = torch.cat([edge, above], 1) - torch.cat([above, 0 * edge], 1)
    each = each.clamp(min=0.0)
    return each / each.sum(1, keepdim=True)
)";

const std::vector<TaskRow>& task_table() {
  static const std::vector<TaskRow> kTable{
      {Task::kSingleLabel,
       Json{{"cross_entropy", {{"label_smoothing", 0.1}}}},
       {"accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "mcc", "loss"},
       one_each,
       kSoftmax,
       classification_metrics},
      {Task::kMultiLabel,
       Json{{"bce", Json::object()}},
       {"average_precision", "macro_f1", "micro_f1", "accuracy", "loss"},
       one_each,
       kSigmoid,
       multi_label_metrics},
      {Task::kRegression,
       Json{{"mse", Json::object()}},
       {"rmse", "mae", "r2", "loss"},
       one_each,
       kUnit,
       regression_metrics},
      {Task::kOrdinal,
       Json{{"coral", Json::object()}},
       {"mae", "quadratic_kappa", "accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "mcc", "loss"},
       thresholds,
       kBetweenThresholds,
       ordinal_metrics}};
  return kTable;
}

struct TargetUnit {
  at::Tensor scale, shift;  // double [C]
};

TargetUnit unit_of(const Dataset& dataset) {
  const at::Tensor values = labels_of(dataset.of(Split::kTrain));
  const auto [variance, mean] = at::var_mean(values, at::IntArrayRef{0}, /*correction=*/0);
  return {at::where(variance > 0, variance.sqrt(), at::ones_like(variance)), mean};
}

}  // namespace

const TaskRow& task_row(Task task) { return task_table().at(static_cast<std::size_t>(task)); }

std::vector<std::string> stop_metrics() {
  std::vector<std::string> names;
  for (const auto& row : task_table())
    for (const auto& name : row.metrics)
      if (!contains(names, name)) names.push_back(name);
  return names;
}

HeadOutputs head_outputs(const Dataset& dataset) {
  return task_row(dataset.task).outputs(static_cast<std::int64_t>(dataset.classes.size()));
}

torch::jit::Module answer_module(const Dataset& dataset) {
  torch::jit::Module module = Emitter().module("Answer");
  if (dataset.task == Task::kRegression) {
    const TargetUnit unit = unit_of(dataset);
    module.register_buffer("scale", unit.scale.to(at::kFloat));
    module.register_buffer("shift", unit.shift.to(at::kFloat));
  }
  module.define(std::string("def forward(self, x: Tensor) -> Tensor:\n") + task_row(dataset.task).answer);
  return module;
}

at::Tensor training_targets(const Dataset& dataset) {
  const at::Tensor labels = labels_of(dataset.of(Split::kTrain));
  if (dataset.task != Task::kRegression) return labels;
  const TargetUnit unit = unit_of(dataset);
  return (labels - unit.shift) / unit.scale;
}

}  // namespace graft
