#pragma once
#include <functional>
#include <string>

#include "graft/train/run_cost.h"
#include "graft/train/trainer.h"

namespace graft {

/// Told what a plan meets on its way; each may be empty.
struct PlanListener {
  std::function<void(const std::string& text)> message{};
  std::function<void(const SkippedImage& image)> skipped_image{};
};

/// What a run would take on this machine: everything made ready as a run does it, each kind of work timed for a moment
/// on real photos and multiplied by how often the run does it. Counts what earlier runs have left in the stores. Which
/// files are images and which engine is fastest stays known for the run, as after a run; nothing else is left on disk.
/// @throws Error for whatever data, recipe or backbone can cause
RunCost plan_run(RunSpec spec, const PlanListener& listener = {});

}  // namespace graft
