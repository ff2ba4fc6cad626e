#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "graft/core/error.h"
#include "graft/train/recipe.h"

namespace graft {

/// What to say of a phase that has ended, from what "diagnosis" has of it; says nothing of what is as it should be.
std::vector<std::string> findings_of(const Json& phase, const Recipe& recipe, std::size_t index);
/// How the losses of a phase's epochs went: {"train_loss", "val_loss", "lowest_val_loss", "verdict"}.
/// @param epochs  records of history.jsonl, at least one
/// @param start  the loss of a network that knows nothing, and `floor` the least there can be; equal where not known
Json fit_of(const std::vector<Json>& epochs, double start, double floor);

/// That a loss is no finite number: which step, which parameters, and which checkpoint is from before.
Error not_finite(const std::string& step, const std::vector<ParameterGroup>& groups,
                 const std::filesystem::path& checkpoint);

}  // namespace graft
