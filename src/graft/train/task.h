#pragma once
#include <torch/csrc/jit/api/module.h>

#include <string>
#include <vector>

#include "graft/data/dataset.h"
#include "graft/head/build_head.h"
#include "graft/train/loss.h"
#include "graft/train/metrics.h"

namespace graft {

/// What follows from a recipe's task: a row of the table.
struct TaskRow {
  Task task;
  Json loss;                         ///< where a recipe names none
  std::vector<std::string> metrics;  ///< that stop.metric takes; the first is meant where a recipe names none
  HeadOutputs (*outputs)(std::int64_t classes);
  /// TorchScript: what becomes of the head's outputs x [N, outputs] to be an answer [N, classes].
  const char* answer;
  Metrics (*measure)(const at::Tensor& answers, const at::Tensor& targets, const std::vector<std::string>& classes,
                     const std::vector<std::string>& scores);
};

const TaskRow& task_row(Task task);

/// What stop.metric takes for one task or another.
std::vector<std::string> stop_metrics();

HeadOutputs head_outputs(const Dataset& dataset);

/// The last step from a network to its answers, forward(outputs [N, outputs]) -> [N, classes]: it ends the exported
/// file. Of numbers it has the buffers scale and shift [C], which bring them into the unit of the training labels.
torch::jit::Module answer_module(const Dataset& dataset);

/// What the loss compares the head's outputs with, of the training images in their order: labels_of, of numbers brought
/// to a mean of 0 and a deviation of 1 (population; an output that never changes is shifted alone).
at::Tensor training_targets(const Dataset& dataset);

}  // namespace graft
