#pragma once
#include <vector>

#include "graft/train/recipe.h"

namespace graft {

/// What of a recipe does not go with its task: a loss, a metric, a head's end, a balance, a teacher, an
/// order of classes, an optimizer over all images, a diagnosis.
std::vector<Problem> task_problems(const Recipe& recipe);

}  // namespace graft
