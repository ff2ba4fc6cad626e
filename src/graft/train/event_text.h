#pragma once
#include <string>

#include "graft/train/observer.h"

namespace graft {

/// What an observer is told, as a line for people: on the console and in a run's log.
std::string text_of(const SkippedImage& image);
std::string text_of(const PhaseRecord& phase);
std::string text_of(const EpochRecord& epoch);

/// A figure with its name: "balanced accuracy 84.91 %", "rmse 0.1234".
std::string figure_text(const std::string& name, double value);

}  // namespace graft
