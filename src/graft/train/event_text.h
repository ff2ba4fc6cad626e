#pragma once
#include <string>

#include "graft/train/observer.h"

namespace graft {

/// What an observer is told, as a line for people: on the console and in a run's log.
std::string text_of(const SkippedImage& image);
std::string text_of(const PhaseRecord& phase);
std::string text_of(const EpochRecord& epoch);

}  // namespace graft
