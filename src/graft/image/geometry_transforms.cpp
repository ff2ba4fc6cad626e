#include <ATen/Functions.h>

#include <cmath>

#include "graft/image/filter.h"
#include "graft/image/preprocess.h"
#include "graft/image/random_box.h"
#include "graft/image/transform.h"

namespace graft {
namespace {

constexpr Interval kNone{0, 0};
const Range kAngle = Range::between(-180, 180);

int side(const at::Tensor& image, int dimension) { return static_cast<int>(image.size(dimension)); }

int draw_below(int count, RandomStream& random) {
  return static_cast<int>(random.below(static_cast<std::uint64_t>(count)));
}

ReadTransform read_horizontal_flip(TransformOptions& options, const InputSpec&) {
  auto flip = [](const at::Tensor& image) { return image.flip({1}); };
  return {at_probability(options.probability(), flip), {Property::kHandedness}};
}

ReadTransform read_vertical_flip(TransformOptions& options, const InputSpec&) {
  auto flip = [](const at::Tensor& image) { return image.flip({0}); };
  return {at_probability(options.probability(), flip), {Property::kOrientation, Property::kHandedness}};
}

ReadTransform read_random_quarter_turn(TransformOptions&, const InputSpec&) {
  auto transform = [](const at::Tensor& image, RandomStream& random) {
    const int turns = draw_below(4, random);
    return turns == 0 ? image : image.rot90(turns, {0, 1}).contiguous();
  };
  return {transform, {Property::kOrientation}};
}

ReadTransform read_random_rotation(TransformOptions& options, const InputSpec&) {
  options.require("degrees", "the largest angle, or the smallest and the largest");
  const Interval degrees = options.interval_around("degrees", 0, kAngle);
  const Resampling resampling = options.resampling(Sampling::kNearest);
  ReadTransform read{
      [=](const at::Tensor& image, RandomStream& random) { return rotate(image, draw(degrees, random), resampling); }};
  if (degrees != kNone) read.breaks.push_back(Property::kOrientation);
  return read;
}

ReadTransform read_random_affine(TransformOptions& options, const InputSpec&) {
  options.require("degrees", "the largest angle, or the smallest and the largest; 0 turns nothing");
  const Interval degrees = options.interval_around("degrees", 0, kAngle);
  const auto translate = options.numbers("translate", {0, 0}, Range::between(0, 1));
  const Interval scale = options.interval("scale", {1, 1}, Range::between(0.01, 100));
  const auto shear =
      options.two_intervals_around_zero("shear", {.low = -90, .high = 90, .low_open = true, .high_open = true});
  const Resampling resampling = options.resampling(Sampling::kNearest);
  ReadTransform read{[=](const at::Tensor& image, RandomStream& random) {
    AffineChange change{.degrees = draw(degrees, random)};
    for (const int axis : {0, 1}) {
      const double reach = translate[static_cast<std::size_t>(axis)] * side(image, 1 - axis);
      change.translate[static_cast<std::size_t>(axis)] = std::nearbyint(random.uniform(-reach, reach));
    }
    change.scale = draw(scale, random);
    change.shear = {draw(shear[0], random), draw(shear[1], random)};
    return affine(image, change, resampling);
  }};
  if (degrees != kNone || shear != std::array{kNone, kNone}) read.breaks.push_back(Property::kOrientation);
  if (scale != Interval{1, 1}) read.breaks.push_back(Property::kSize);
  return read;
}

/// Each corner moved inwards by up to `distortion` of half the sides.
Corners draw_corners(int height, int width, double distortion, RandomStream& random) {
  const int reach_x = static_cast<int>(distortion * (width / 2)), reach_y = static_cast<int>(distortion * (height / 2));
  const std::array<std::array<bool, 2>, 4> is_far{{{false, false}, {true, false}, {true, true}, {false, true}}};
  Corners corners{};
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const int x = draw_below(reach_x + 1, random), y = draw_below(reach_y + 1, random);
    corners[i] = {static_cast<double>(is_far[i][0] ? width - 1 - reach_x + x : x),
                  static_cast<double>(is_far[i][1] ? height - 1 - reach_y + y : y)};
  }
  return corners;
}

ReadTransform read_random_perspective(TransformOptions& options, const InputSpec&) {
  const double distortion = options.number("distortion_scale", 0.5, Range::between(0, 1));
  const double p = options.probability();
  const Resampling resampling = options.resampling(Sampling::kBilinear);
  ReadTransform read{[=](const at::Tensor& image, RandomStream& random) {
    if (random.uniform() >= p) return image;
    return perspective(image, draw_corners(side(image, 0), side(image, 1), distortion, random), resampling);
  }};
  if (distortion > 0) read.breaks = {Property::kOrientation, Property::kSize};
  return read;
}

/// Steps along one axis, float32 [H, W] in pixels: within alpha / 2 either way, then smoothed.
at::Tensor draw_steps(int height, int width, double alpha, double sigma, RandomStream& random) {
  const at::Tensor steps = at::empty({height, width}, at::kFloat);
  auto* step = steps.data_ptr<float>();
  for (std::int64_t i = 0; i < steps.numel(); ++i) step[i] = static_cast<float>(random.uniform(-alpha / 2, alpha / 2));
  const int kernel_size = static_cast<int>(8 * sigma + 1);
  return sigma > 0 ? gaussian_blur_map(steps, kernel_size + 1 - kernel_size % 2, sigma) : steps;
}

ReadTransform read_elastic_transform(TransformOptions& options, const InputSpec&) {
  const double alpha = options.number("alpha", 50, Range::between(0, 10000));
  const double sigma = options.number("sigma", 5, Range::between(0, 100));
  const Resampling resampling = options.resampling(Sampling::kBilinear);
  ReadTransform read{[=](const at::Tensor& image, RandomStream& random) {
    if (alpha == 0) return image;
    const at::Tensor right = draw_steps(side(image, 0), side(image, 1), alpha, sigma, random);
    const at::Tensor down = draw_steps(side(image, 0), side(image, 1), alpha, sigma, random);
    return elastic_transform(image, at::stack({right, down}, 2), resampling);
  }};
  if (alpha > 0) read.breaks.push_back(Property::kSize);
  return read;
}

ReadTransform read_random_resized_crop(TransformOptions& options, const InputSpec& input) {
  const Interval scale = options.interval("scale", {0.08, 1.0}, {.low = 0, .high = 1, .low_open = true});
  const Interval ratio = options.interval("ratio", {3.0 / 4, 4.0 / 3}, Range::between(0.01, 100));
  auto transform = [scale, ratio, input](const at::Tensor& image, RandomStream& random) {
    const CropBox box = random_crop_box(side(image, 0), side(image, 1), scale, ratio, random);
    const at::Tensor part = image.narrow(0, box.top, box.height).narrow(1, box.left, box.width);
    return resize_image(part, input.size, input.size, input.interpolation);
  };
  return {transform, {Property::kSize}, true};
}

ReadTransform read_random_crop(TransformOptions& options, const InputSpec& input) {
  static const std::vector<std::string> kModes{"constant", "edge", "reflect", "symmetric"};
  const int padding = options.integer("padding", 0, Range::between(0, 4095));
  if (padding >= input.size)
    options.problem("padding", "is " + std::to_string(padding),
                    "less than the input's " + std::to_string(input.size) + " pixels");
  const Color fill = options.color("fill");
  const std::string name = options.choice("padding_mode", kModes[0], kModes);
  const auto mode = static_cast<PaddingMode>(std::find(kModes.begin(), kModes.end(), name) - kModes.begin());
  auto transform = [=](const at::Tensor& image, RandomStream& random) {
    const at::Tensor padded = pad(resize_to_crop(image, input), padding, mode, fill);
    const int top = draw_below(side(padded, 0) - input.size + 1, random);
    const int left = draw_below(side(padded, 1) - input.size + 1, random);
    return padded.narrow(0, top, input.size).narrow(1, left, input.size).contiguous();
  };
  return {transform, {}, true};
}

}  // namespace

std::vector<TransformRow> geometry_transforms() {
  return {{"random_resized_crop", read_random_resized_crop},
          {"random_crop", read_random_crop},
          {"horizontal_flip", read_horizontal_flip},
          {"vertical_flip", read_vertical_flip},
          {"random_quarter_turn", read_random_quarter_turn},
          {"random_rotation", read_random_rotation},
          {"random_affine", read_random_affine},
          {"random_perspective", read_random_perspective},
          {"elastic_transform", read_elastic_transform}};
}

}  // namespace graft
