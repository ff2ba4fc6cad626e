#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>

#include "graft/train/prepared_run.h"

namespace graft {

/// Seconds that a phase takes above its boundary.
struct StepCost {
  double training_s = 0;
  double validation_s = 0;
  double saving_s = 0;
};

/// Takes a few steps of a phase that has begun and puts everything back as it was. What is slow the first times, while
/// LibTorch optimises the graph, is counted once.
/// @param train  rows of some training images that cross the boundary, float [n, …]
/// @param val  of validation images
/// @param folder  where checkpoints are written to see how long that takes
StepCost time_steps(PreparedRun& parts, const Recipe& recipe, std::size_t phase, const at::Tensor& train,
                    const at::Tensor& val, const std::filesystem::path& folder);

}  // namespace graft
