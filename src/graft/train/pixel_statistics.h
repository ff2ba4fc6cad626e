#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "graft/data/dataset.h"
#include "graft/train/recipe.h"

namespace graft {

/// Of all pixels that a network sees of some images, of levels in [0, 1].
struct PixelStatistics {
  at::Tensor mean;        ///< float64 [3]
  at::Tensor covariance;  ///< float64 [3, 3], divided by the number of pixels
};
/// Adds levels as whole numbers, so that no order of adding rounds.
/// @param samples  not empty
PixelStatistics pixel_statistics(const Samples& samples, const InputSpec& input, int workers);

/// Puts the training photos' figures where the recipe says "data" for input.mean or input.std, or names a whitening.
/// @param message  told of them
/// @throws Error when the photos are all of one color, which nothing can be divided by
void resolve_input(Recipe& recipe, const Dataset& dataset, int workers,
                   const std::function<void(const std::string&)>& message);

}  // namespace graft
