#include <numeric>

#include "graft/image/color.h"
#include "graft/image/filter.h"
#include "graft/image/noise.h"
#include "graft/image/transform.h"

namespace graft {
namespace {

const std::vector<Property> kLooks{Property::kBrightness, Property::kColor};

ReadTransform read_color_jitter(TransformOptions& options, const InputSpec&) {
  using Adjust = at::Tensor (*)(const at::Tensor&, double);
  constexpr std::array<Adjust, 4> kAdjust{adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue};
  const std::array<Interval, 4> intervals{options.interval_around("brightness", 1, Range::at_least(0)),
                                          options.interval_around("contrast", 1, Range::at_least(0)),
                                          options.interval_around("saturation", 1, Range::at_least(0)),
                                          options.interval_around("hue", 0, Range::between(-0.5, 0.5))};
  ReadTransform read{[=](const at::Tensor& image, RandomStream& random) {
    std::vector<std::size_t> order(kAdjust.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    random.shuffle(order);
    std::array<double, 4> factors{};
    for (std::size_t i = 0; i < factors.size(); ++i) factors[i] = draw(intervals[i], random);
    at::Tensor changed = image;
    for (const std::size_t i : order) changed = kAdjust[i](changed, factors[i]);
    return changed;
  }};
  const Interval one{1, 1};
  if (intervals[0] != one || intervals[1] != one) read.breaks.push_back(Property::kBrightness);
  if (intervals[2] != one || intervals[3] != Interval{0, 0}) read.breaks.push_back(Property::kColor);
  return read;
}

ReadTransform read_random_gamma(TransformOptions& options, const InputSpec&) {
  const Interval gamma = options.interval_or_value("gamma", {0.8, 1.2}, Range::between(0.01, 100));
  auto transform = [gamma](const at::Tensor& image, RandomStream& random) {
    return adjust_gamma(image, draw(gamma, random));
  };
  return {transform, {Property::kBrightness}};
}

ReadTransform read_random_grayscale(TransformOptions& options, const InputSpec&) {
  return {at_probability(options.probability(0.1), to_grayscale), {Property::kColor}};
}

ReadTransform read_random_posterize(TransformOptions& options, const InputSpec&) {
  options.require("bits", "how many bits of each level stay, 1 to 8");
  const int bits = options.integer("bits", 8, Range::between(1, 8));
  auto change = [bits](const at::Tensor& image) { return posterize(image, bits); };
  return {at_probability(options.probability(), change), kLooks};
}

ReadTransform read_random_solarize(TransformOptions& options, const InputSpec&) {
  options.require("threshold", "the lowest level that is inverted, 0 to 255");
  const double threshold = options.number("threshold", 255, Range::between(0, 255));
  auto change = [threshold](const at::Tensor& image) { return solarize(image, threshold); };
  return {at_probability(options.probability(), change), kLooks};
}

ReadTransform read_random_equalize(TransformOptions& options, const InputSpec&) {
  return {at_probability(options.probability(), equalize), kLooks};
}

ReadTransform read_random_autocontrast(TransformOptions& options, const InputSpec&) {
  return {at_probability(options.probability(), autocontrast), kLooks};
}

ReadTransform read_random_adjust_sharpness(TransformOptions& options, const InputSpec&) {
  options.require("sharpness_factor", "0 for smoothed, 1 for no change, 2 for sharpened");
  const double factor = options.number("sharpness_factor", 1, Range::at_least(0));
  auto change = [factor](const at::Tensor& image) { return adjust_sharpness(image, factor); };
  return {at_probability(options.probability(), change)};
}

ReadTransform read_gaussian_blur(TransformOptions& options, const InputSpec&) {
  options.require("kernel_size", "an odd number of pixels");
  const int kernel_size = options.integer("kernel_size", 1, Range::between(1, 999));
  if (kernel_size % 2 == 0) options.problem("kernel_size", "is " + std::to_string(kernel_size), "an odd number");
  const Interval sigma = options.interval_or_value("sigma", {0.1, 2.0}, {.low = 0, .high = 1000, .low_open = true});
  return {[=](const at::Tensor& image, RandomStream& random) {
    return gaussian_blur(image, kernel_size, draw(sigma, random));
  }};
}

ReadTransform read_pca_jitter(TransformOptions& options, const InputSpec&) {
  const double sigma = options.number("sigma", 0.1, Range::between(0, 100));
  ReadTransform read{[sigma](const at::Tensor& image, RandomStream& random) {
    std::array<float, 3> normal{};
    draw_normal(normal, random);
    return shift_along_components(image, {sigma * normal[0], sigma * normal[1], sigma * normal[2]});
  }};
  if (sigma > 0) read.breaks = kLooks;
  return read;
}

}  // namespace

std::vector<TransformRow> color_transforms() {
  return {{"color_jitter", read_color_jitter},
          {"random_gamma", read_random_gamma},
          {"random_grayscale", read_random_grayscale},
          {"random_posterize", read_random_posterize},
          {"random_solarize", read_random_solarize},
          {"random_equalize", read_random_equalize},
          {"random_autocontrast", read_random_autocontrast},
          {"random_adjust_sharpness", read_random_adjust_sharpness},
          {"gaussian_blur", read_gaussian_blur},
          {"pca_jitter", read_pca_jitter}};
}

}  // namespace graft
