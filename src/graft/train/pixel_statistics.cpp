#include "graft/train/pixel_statistics.h"

#include <ATen/ATen.h>

#include <array>

#include "graft/core/error.h"
#include "graft/core/parallel.h"
#include "graft/core/whitening.h"
#include "graft/data/activations.h"

namespace graft {
namespace {

constexpr double kWhiteningEps = 1e-5;

/// Sums over pixels, of levels in 0 … 255.
struct LevelSums {
  std::int64_t pixels = 0;
  at::Tensor levels = at::zeros({3}, at::kLong);
  at::Tensor products = at::zeros({3, 3}, at::kLong);

  void operator+=(const LevelSums& other) {
    pixels += other.pixels;
    levels += other.levels;
    products += other.products;
  }
};

/// Of an image [S, S, 3]; its sums are whole numbers that float64 holds.
LevelSums sums_of(const at::Tensor& image) {
  const at::Tensor wide = image.reshape({-1, 3}).to(at::kDouble);
  return {wide.size(0), wide.sum(0).to(at::kLong), wide.t().matmul(wide).to(at::kLong)};
}

/// Sums of products of deviations from `centre`, whole levels near the mean: what is subtracted of each other there is
/// exact.
at::Tensor products_about(const at::Tensor& centre, const LevelSums& sums) {
  const at::Tensor crossed = at::outer(centre, sums.levels);
  return sums.products - crossed - crossed.t() + sums.pixels * at::outer(centre, centre);
}

std::array<double, 3> channels(const at::Tensor& values) {
  std::array<double, 3> numbers{};
  for (std::size_t c = 0; c < 3; ++c) numbers.at(c) = values[static_cast<std::int64_t>(c)].item<double>();
  return numbers;
}

ColorMatrix color_matrix(const at::Tensor& values) {
  ColorMatrix matrix{};
  for (std::size_t row = 0; row < 3; ++row) matrix.at(row) = channels(values[static_cast<std::int64_t>(row)]);
  return matrix;
}

void set_deviations(const PixelStatistics& found, InputSpec& input) {
  input.std = channels(found.covariance.diagonal().sqrt());
  for (const double deviation : input.std)
    if (!(deviation > 0))
      throw Error({"input.std", "is \"data\", and a channel is the same in all training photos", "photos that differ",
                   "three numbers instead"});
}

void set_whitening(const PixelStatistics& found, const std::string& kind, InputSpec& input) {
  input.mean = channels(found.mean);
  input.std = {1, 1, 1};
  input.whiten = color_matrix(whitening_matrix(kind, found.covariance, kWhiteningEps));
}

}  // namespace

PixelStatistics pixel_statistics(const Samples& samples, const InputSpec& input, int workers) {
  LevelSums sums;
  OrderedParallel<LevelSums>::run(
      samples.size(), workers, [&](std::size_t i) { return sums_of(load_image(samples[i], input, {}, 0)); },
      [&](std::size_t, const LevelSums& of_image) { sums += of_image; });
  const auto pixels = static_cast<double>(sums.pixels);
  const at::Tensor mean = sums.levels.to(at::kDouble) / pixels, centre = mean.round();
  const at::Tensor apart = mean - centre;
  const at::Tensor products = products_about(centre.to(at::kLong), sums).to(at::kDouble) / pixels;
  return {mean / 255, (products - at::outer(apart, apart)) / (255 * 255)};
}

void resolve_input(Recipe& recipe, const Dataset& dataset, int workers,
                   const std::function<void(const std::string&)>& message) {
  const FiguresOfData& wanted = recipe.of_data;
  if (!wanted.mean && !wanted.std && wanted.whiten.empty()) return;
  const PixelStatistics found = pixel_statistics(dataset.of(Split::kTrain), recipe.input, workers);
  if (wanted.mean) recipe.input.mean = channels(found.mean);
  if (wanted.std) set_deviations(found, recipe.input);
  if (!wanted.whiten.empty()) set_whitening(found, wanted.whiten, recipe.input);
  recipe.of_data = {};
  message("input of the training photos: mean " + Json(recipe.input.mean).dump() + ", std " +
          Json(recipe.input.std).dump() +
          (recipe.input.whiten ? ", white by " + Json(*recipe.input.whiten).dump() : ""));
  // What is drawn as random pixels has the input's mean and deviation.
  recipe.augment = Augmentation::read(Json(recipe.augment.to_json()), recipe.input);
}

}  // namespace graft
