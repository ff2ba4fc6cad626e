#pragma once
#include <string>

#include "graft/report/results.h"

namespace graft {

// Parts of the report, each a piece of HTML. Whatever comes from outside is escaped.

/// The figures of the exported file.
std::string figures_section(const RunResults& results);
/// What was trained: backbone, head, loss, data, phases.
std::string recipe_section(const RunResults& results);
/// Losses, the metric that stops, and learning rates, by epoch.
std::string curves_section(const RunResults& results);
/// What watching the run has found.
std::string diagnosis_section(const RunResults& results);
/// Photos of each class by what they are taken for; of many classes those that are confused most often.
std::string confusion_section(const RunResults& results);
/// Precision, recall and F1 of each class, the hardest first.
std::string classes_section(const RunResults& results);
/// The photos that are most wrong, small.
std::string photos_section(const RunResults& results);
std::string timing_section(const RunResults& results);

}  // namespace graft
