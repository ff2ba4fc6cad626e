#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "graft/artifact/predictor.h"
#include "graft/backbone/backbone.h"

namespace graft {

/// Whether answers are the same but for the roundings of a backbone that was computed by other means.
bool answer_alike(const at::Tensor& found, const at::Tensor& expected);

/// What to look at many images with: features come from an engine in float32 (FrozenEngine) with which the artifact
/// answers the first of them as it does without. Nothing where that would not be faster: they are few, or the artifact
/// runs on a GPU or in another precision; or where there is no such engine, which `message` is told.
/// @param backbone  the artifact's, with its tensors
std::optional<Predictor> with_engine(const Predictor& predictor, const Backbone& backbone,
                                     const std::vector<std::filesystem::path>& images,
                                     const std::function<void(const std::string&)>& message);

/// The predictor itself where with_engine knows nothing faster. The backbone is taken from the artifact's file.
Predictor fast_predictor(const Predictor& predictor, const std::filesystem::path& artifact, Trust trust,
                         const std::vector<std::filesystem::path>& images,
                         const std::function<void(const std::string&)>& message);

}  // namespace graft
