#pragma once
#include <functional>
#include <stop_token>
#include <string>

#include "graft/train/trainer.h"
#include "graft/tune/lr_curve.h"

namespace graft {

/// Told what a range test does; each may be empty.
struct LrListener {
  std::function<void(const std::string& text)> message{};
  std::function<void(const SkippedImage& image)> skipped_image{};
  std::function<void(std::size_t done, std::size_t total)> frozen_progress{};
  std::function<void(std::size_t done, std::size_t total)> teacher_progress{};
  std::function<void(std::int64_t step, std::int64_t steps)> step{};
};

/// Takes the steps of a phase, as a run would, but at the rates of the range, from the weights that a run starts with,
/// until they are through or the loss diverges. Nothing of it stays: no folder is written.
/// @param phase  index of the recipe's phase; its schedule and average are left out
/// @throws Error for whatever data, recipe or backbone can cause, and where the phase takes all images at once
LrCurve find_lr(const RunSpec& spec, std::size_t phase, const LrRange& range, const LrListener& listener = {},
                const std::stop_token& stop = {});

}  // namespace graft
