#include "graft/train/pixel_statistics.h"

#include <ATen/ATen.h>

#include "graft/core/error.h"
#include "graft/core/parallel.h"
#include "graft/data/activations.h"

namespace graft {
namespace {

constexpr std::int64_t kLevels = 256;

/// int64 [3, 256] of the pixels of an image [S, S, 3].
at::Tensor level_counts(const at::Tensor& image) {
  std::vector<at::Tensor> channels;
  for (int c = 0; c < 3; ++c) channels.push_back(at::bincount(image.select(2, c).flatten(), {}, kLevels));
  return at::stack(channels);
}

}  // namespace

PixelStatistics pixel_statistics(const std::vector<Sample>& samples, const InputSpec& input, int workers) {
  at::Tensor counts = at::zeros({3, kLevels}, at::kLong);
  OrderedParallel<at::Tensor>::run(
      samples.size(), workers, [&](std::size_t i) { return level_counts(load_image(samples[i], input, {}, 0)); },
      [&](std::size_t, const at::Tensor& of_image) { counts += of_image; });
  const at::Tensor levels = at::arange(kLevels, at::kDouble) / 255, weights = counts.to(at::kDouble);
  const at::Tensor pixels = weights.sum(1), mean = weights.matmul(levels) / pixels;
  const at::Tensor std = ((weights * (levels - mean.unsqueeze(1)).square()).sum(1) / pixels).sqrt();
  PixelStatistics statistics;
  for (std::size_t c = 0; c < 3; ++c) {
    statistics.mean.at(c) = mean[static_cast<std::int64_t>(c)].item<double>();
    statistics.std.at(c) = std[static_cast<std::int64_t>(c)].item<double>();
  }
  return statistics;
}

void resolve_input(Recipe& recipe, const Dataset& dataset, int workers,
                   const std::function<void(const std::string&)>& message) {
  if (!recipe.of_data.mean && !recipe.of_data.std) return;
  const PixelStatistics found = pixel_statistics(dataset.of(Split::kTrain), recipe.input, workers);
  if (recipe.of_data.mean) recipe.input.mean = found.mean;
  if (recipe.of_data.std) recipe.input.std = found.std;
  for (const double deviation : recipe.input.std)
    if (!(deviation > 0))
      throw Error({"input.std", "is \"data\", and a channel is the same in all training photos", "photos that differ",
                   "three numbers instead"});
  recipe.of_data = {};
  message("input of the training photos: mean " + Json(recipe.input.mean).dump() + ", std " +
          Json(recipe.input.std).dump());
  // What is drawn as random pixels has the input's mean and deviation.
  recipe.augment = Augmentation::read(Json(recipe.augment.to_json()), recipe.input);
}

}  // namespace graft
