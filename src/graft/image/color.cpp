#include "graft/image/color.h"

#include <ATen/Functions.h>

#include <cmath>
#include <numeric>

#include "graft/image/pixels.h"

namespace graft {
namespace {

/// What becomes of each level.
using LevelTable = std::array<std::uint8_t, 256>;
/// torchvision's scale of [0, 1], with which truncation gives each level an equal part.
constexpr float kLevels = 256 - 1e-3F;

using Histogram = std::array<std::int64_t, 256>;

/// The levels that `level_of` gives, truncated and clipped.
template <typename LevelOf>
LevelTable make_table(LevelOf level_of) {
  LevelTable table{};
  for (int level = 0; level < 256; ++level)
    table[static_cast<std::size_t>(level)] = static_cast<std::uint8_t>(std::clamp<double>(level_of(level), 0, 255));
  return table;
}

/// The image whose pixels `change(in, out)` writes.
template <typename Change>
at::Tensor change_pixels(const at::Tensor& image, Change change) {
  const at::Tensor result = at::empty_like(image);
  const auto* in = image.const_data_ptr<std::uint8_t>();
  auto* out = result.data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < image.numel(); i += 3) change(in + i, out + i);
  return result;
}

at::Tensor look_up(const at::Tensor& image, const std::array<LevelTable, 3>& tables) {
  return change_pixels(image, [&](const std::uint8_t* in, std::uint8_t* out) {
    for (std::size_t c = 0; c < 3; ++c) out[c] = tables[c][in[c]];
  });
}

at::Tensor look_up(const at::Tensor& image, const LevelTable& table) { return look_up(image, {table, table, table}); }

/// Each channel looked up in the table that `table_of` makes of its histogram.
at::Tensor look_up_by_histogram(const at::Tensor& image, LevelTable (*table_of)(const Histogram&)) {
  std::array<Histogram, 3> counts{};
  const auto* level = image.const_data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < image.numel(); i += 3, level += 3)
    for (std::size_t c = 0; c < 3; ++c) ++counts[c][level[c]];
  return look_up(image, {table_of(counts[0]), table_of(counts[1]), table_of(counts[2])});
}

/// Pillow's fixed-point form of ITU-R BT.601.
std::uint8_t luma(const std::uint8_t* pixel) {
  return static_cast<std::uint8_t>((pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 0x8000) >> 16);
}

double same_level(int level) { return level; }

LevelTable autocontrast_table(const Histogram& counts) {
  const auto is_found = [](std::int64_t count) { return count > 0; };
  const auto low = std::find_if(counts.begin(), counts.end(), is_found) - counts.begin();
  const auto high = 255 - (std::find_if(counts.rbegin(), counts.rend(), is_found) - counts.rbegin());
  if (low >= high) return make_table(same_level);
  const double scale = 255.0 / static_cast<double>(high - low), offset = static_cast<double>(-low) * scale;
  return make_table([=](int level) { return level * scale + offset; });
}

/// Pillow's ImageOps.equalize: levels are spread over all pixels but those of the brightest level.
LevelTable equalize_table(const Histogram& counts) {
  const auto brightest = std::find_if(counts.rbegin(), counts.rend(), [](std::int64_t count) { return count > 0; });
  const std::int64_t step = (std::accumulate(counts.begin(), counts.end(), std::int64_t{0}) - *brightest) / 255;
  if (step == 0) return make_table(same_level);
  std::int64_t darker = step / 2;
  return make_table([&](int level) {
    const std::int64_t spread = darker / step;
    darker += counts[static_cast<std::size_t>(level)];
    return static_cast<double>(spread);
  });
}

/// Hue in turns, saturation and value of RGB in [0, 1] (Smith 1978).
std::array<float, 3> hsv_of(float r, float g, float b) {
  const float high = std::max({r, g, b}), range = high - std::min({r, g, b});
  if (range == 0) return {0, 0, high};
  const float sixth = high == r ? (g - b) / range : high == g ? 2 + (b - r) / range : 4 + (r - g) / range;
  return {sixth / 6, range / high, high};
}

std::array<float, 3> rgb_of(float hue, float saturation, float value) {
  const float sixths = (hue - std::floor(hue)) * 6, part = sixths - std::floor(sixths);
  const float p = value * (1 - saturation), q = value * (1 - saturation * part);
  const float t = value * (1 - saturation * (1 - part));
  switch (static_cast<int>(sixths) % 6) {
    case 0:
      return {value, t, p};
    case 1:
      return {q, value, p};
    case 2:
      return {p, value, t};
    case 3:
      return {p, q, value};
    case 4:
      return {t, p, value};
    default:
      return {value, p, q};
  }
}

}  // namespace

at::Tensor adjust_brightness(const at::Tensor& image, double factor) {
  const at::Tensor whole = contiguous_image(image, "adjust_brightness");
  if (factor == 1) return whole;
  return look_up(whole, make_table([factor = static_cast<float>(factor)](int level) {
                   return blend(0, static_cast<std::uint8_t>(level), factor);
                 }));
}

at::Tensor adjust_contrast(const at::Tensor& image, double factor) {
  const at::Tensor whole = contiguous_image(image, "adjust_contrast");
  if (factor == 1) return whole;
  std::int64_t sum = 0;
  const auto* pixels = whole.const_data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < whole.numel(); i += 3) sum += luma(pixels + i);
  const double mean = static_cast<double>(sum) / (static_cast<double>(whole.numel()) / 3);
  const auto grey = static_cast<std::uint8_t>(mean + 0.5);
  return look_up(whole, make_table([grey, factor = static_cast<float>(factor)](int level) {
                   return blend(grey, static_cast<std::uint8_t>(level), factor);
                 }));
}

at::Tensor adjust_saturation(const at::Tensor& image, double factor) {
  const at::Tensor whole = contiguous_image(image, "adjust_saturation");
  if (factor == 1) return whole;
  return change_pixels(whole, [part = static_cast<float>(factor)](const std::uint8_t* in, std::uint8_t* out) {
    const std::uint8_t grey = luma(in);
    for (int c = 0; c < 3; ++c) out[c] = blend(grey, in[c], part);
  });
}

at::Tensor adjust_hue(const at::Tensor& image, double turns) {
  const at::Tensor whole = contiguous_image(image, "adjust_hue");
  if (turns == 0) return whole;
  return change_pixels(whole, [turn = static_cast<float>(turns)](const std::uint8_t* in, std::uint8_t* out) {
    const auto [hue, saturation, value] = hsv_of(in[0] / 255.0F, in[1] / 255.0F, in[2] / 255.0F);
    const auto rgb = rgb_of(hue + turn, saturation, value);
    for (std::size_t c = 0; c < 3; ++c) out[c] = static_cast<std::uint8_t>(rgb[c] * kLevels);
  });
}

at::Tensor adjust_gamma(const at::Tensor& image, double gamma) {
  const at::Tensor whole = contiguous_image(image, "adjust_gamma");
  if (gamma == 1) return whole;
  return look_up(whole, make_table([gamma](int level) { return kLevels * std::pow(level / 255.0, gamma); }));
}

at::Tensor to_grayscale(const at::Tensor& image) {
  return change_pixels(contiguous_image(image, "to_grayscale"),
                       [](const std::uint8_t* in, std::uint8_t* out) { std::fill_n(out, 3, luma(in)); });
}

at::Tensor posterize(const at::Tensor& image, int bits) {
  TORCH_CHECK(bits >= 0 && bits <= 8, "posterize: expected 0 to 8 bits");
  const int dropped = 8 - bits;
  return look_up(contiguous_image(image, "posterize"),
                 make_table([dropped](int level) { return level >> dropped << dropped; }));
}

at::Tensor solarize(const at::Tensor& image, double threshold) {
  return look_up(contiguous_image(image, "solarize"),
                 make_table([threshold](int level) { return level < threshold ? level : 255 - level; }));
}

at::Tensor equalize(const at::Tensor& image) {
  return look_up_by_histogram(contiguous_image(image, "equalize"), equalize_table);
}

at::Tensor autocontrast(const at::Tensor& image) {
  return look_up_by_histogram(contiguous_image(image, "autocontrast"), autocontrast_table);
}

at::Tensor shift_along_components(const at::Tensor& image, const std::array<double, 3>& alpha) {
  constexpr std::array<double, 3> kDeviations{0.2175, 0.0188, 0.0045};
  constexpr double kComponents[3][3] = {
      {-0.5675, 0.7192, 0.4009}, {-0.5808, -0.0045, -0.8140}, {-0.5836, -0.6948, 0.4203}};  // [channel][component]
  std::array<LevelTable, 3> tables;
  for (std::size_t c = 0; c < 3; ++c) {
    double shift = 0;
    for (std::size_t i = 0; i < 3; ++i) shift += 255 * kComponents[c][i] * kDeviations[i] * alpha[i];
    tables[c] = make_table([shift](int level) { return std::nearbyint(level + shift); });
  }
  return look_up(contiguous_image(image, "shift_along_components"), tables);
}

}  // namespace graft
