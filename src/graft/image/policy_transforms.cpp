#include <ATen/Functions.h>

#include <cmath>
#include <numbers>

#include "graft/image/color.h"
#include "graft/image/filter.h"
#include "graft/image/transform.h"

namespace graft {
namespace {

/// The strongest that a policy makes each operation.
struct Strengths {
  double shear;          ///< pixels a pixel
  double translate;      ///< pixels, or a part of the image's side
  bool is_part_of_side;  ///< which of the two
  double rotate;         ///< degrees
  double enhance;        ///< added to or taken from a factor of 1
  int posterize;         ///< bits taken away
};
constexpr Strengths kTrivialAugmentWide{0.99, 32, false, 135, 0.99, 6};
constexpr Strengths kRandAugment{0.3, 150.0 / 331, true, 30, 0.9, 4};

/// One of a number of steps from nothing to the strongest.
struct Step {
  int index;
  int count;

  /// In float32, as torchvision, whose truncation to whole pixels depends on it.
  double between(double from, double to) const {
    return at::linspace(from, to, count, at::kFloat)[index].item<float>();
  }
};

at::Tensor sheared(const at::Tensor& image, const std::array<double, 2>& slopes, const Resampling& resampling) {
  const auto degrees = [](double slope) { return std::atan(slope) * 180 / std::numbers::pi; };
  return affine(image, {.shear = {degrees(slopes[0]), degrees(slopes[1])}, .center = std::array{0.0, 0.0}}, resampling);
}

at::Tensor moved(const at::Tensor& image, const std::array<double, 2>& pixels, const Resampling& resampling) {
  return affine(image, {.translate = {std::trunc(pixels[0]), std::trunc(pixels[1])}}, resampling);
}

/// How strong an operation is at a step.
double no_strength(const Strengths&, const Step&, const at::Tensor&) { return 0; }
double shear(const Strengths& most, const Step& step, const at::Tensor&) { return step.between(0, most.shear); }
double rotation(const Strengths& most, const Step& step, const at::Tensor&) { return step.between(0, most.rotate); }
double enhancement(const Strengths& most, const Step& step, const at::Tensor&) { return step.between(0, most.enhance); }
double threshold(const Strengths&, const Step& step, const at::Tensor&) { return step.between(255, 0); }
double kept_bits(const Strengths& most, const Step& step, const at::Tensor&) {
  const auto steps_a_bit = static_cast<float>(step.count - 1) / static_cast<float>(most.posterize);
  return 8 - std::nearbyint(static_cast<float>(step.index) / steps_a_bit);
}
template <int kSide>
double translation(const Strengths& most, const Step& step, const at::Tensor& image) {
  const double unit = most.is_part_of_side ? static_cast<double>(image.size(kSide)) : 1;
  return step.between(0, most.translate * unit);
}

/// An operation of both policies.
struct Operation {
  double (*strength)(const Strengths& most, const Step& step, const at::Tensor& image);
  enum class Sign { kPositive, kEither } sign;
  at::Tensor (*apply)(const at::Tensor& image, double strength, const Resampling& resampling);
};

using Image = const at::Tensor&;
constexpr auto kPositive = Operation::Sign::kPositive, kEither = Operation::Sign::kEither;

/// In torchvision's order: a number that is drawn decides.
constexpr Operation kOperations[] = {
    {no_strength, kPositive, [](Image image, double, const Resampling&) { return image; }},
    {shear, kEither,
     [](Image image, double m, const Resampling& how) {
       return sheared(image, {m, 0}, how);
     }},
    {shear, kEither,
     [](Image image, double m, const Resampling& how) {
       return sheared(image, {0, m}, how);
     }},
    {translation<1>, kEither,
     [](Image image, double m, const Resampling& how) {
       return moved(image, {m, 0}, how);
     }},
    {translation<0>, kEither,
     [](Image image, double m, const Resampling& how) {
       return moved(image, {0, m}, how);
     }},
    {rotation, kEither, [](Image image, double m, const Resampling& how) { return rotate(image, m, how); }},
    {enhancement, kEither, [](Image image, double m, const Resampling&) { return adjust_brightness(image, 1 + m); }},
    {enhancement, kEither, [](Image image, double m, const Resampling&) { return adjust_saturation(image, 1 + m); }},
    {enhancement, kEither, [](Image image, double m, const Resampling&) { return adjust_contrast(image, 1 + m); }},
    {enhancement, kEither, [](Image image, double m, const Resampling&) { return adjust_sharpness(image, 1 + m); }},
    {kept_bits, kPositive,
     [](Image image, double m, const Resampling&) { return posterize(image, static_cast<int>(m)); }},
    {threshold, kPositive, [](Image image, double m, const Resampling&) { return solarize(image, m); }},
    {no_strength, kPositive, [](Image image, double, const Resampling&) { return autocontrast(image); }},
    {no_strength, kPositive, [](Image image, double, const Resampling&) { return equalize(image); }},
};

const Operation& draw_operation(RandomStream& random) { return kOperations[random.below(std::size(kOperations))]; }

at::Tensor apply(const Operation& operation, const at::Tensor& image, double strength, const Resampling& resampling,
                 RandomStream& random) {
  const bool is_negative = operation.sign == Operation::Sign::kEither && random.below(2) == 1;
  return operation.apply(image, is_negative ? -strength : strength, resampling);
}

/// Muller and Hutter 2021: one operation at a strength drawn anew for each image.
ReadTransform read_trivial_augment_wide(TransformOptions& options, const InputSpec&) {
  const int bins = options.integer("num_magnitude_bins", 31, Range::between(2, 1000));
  const Resampling resampling = options.resampling(Sampling::kNearest);
  auto transform = [=](const at::Tensor& image, RandomStream& random) {
    const Operation& operation = draw_operation(random);
    Step step{0, bins};
    if (operation.strength != no_strength)
      step.index = static_cast<int>(random.below(static_cast<std::uint64_t>(bins)));
    const double strength = operation.strength(kTrivialAugmentWide, step, image);
    return apply(operation, image, strength, resampling, random);
  };
  return {transform, {Property::kOrientation, Property::kBrightness, Property::kColor}};
}

/// Cubuk et al. 2020: some operations, one after the other, at one strength for all.
ReadTransform read_rand_augment(TransformOptions& options, const InputSpec&) {
  const int count = options.integer("num_ops", 2, Range::between(0, 100));
  const int magnitude = options.integer("magnitude", 9, Range::between(0, 999));
  const int bins = options.integer("num_magnitude_bins", 31, Range::between(2, 1000));
  if (magnitude >= bins)
    options.problem("magnitude", "is " + std::to_string(magnitude),
                    "a number below num_magnitude_bins, which is " + std::to_string(bins));
  const Resampling resampling = options.resampling(Sampling::kNearest);
  auto transform = [=](const at::Tensor& image, RandomStream& random) {
    at::Tensor changed = image;
    for (int i = 0; i < count; ++i) {
      const Operation& operation = draw_operation(random);
      const double strength = operation.strength(kRandAugment, {magnitude, bins}, changed);
      changed = apply(operation, changed, strength, resampling, random);
    }
    return changed;
  };
  return {transform, {Property::kOrientation, Property::kBrightness, Property::kColor}};
}

}  // namespace

std::vector<TransformRow> policy_transforms() {
  return {{"trivial_augment_wide", read_trivial_augment_wide}, {"rand_augment", read_rand_augment}};
}

}  // namespace graft
