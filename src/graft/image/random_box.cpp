#include "graft/image/random_box.h"

#include <algorithm>
#include <cmath>

namespace graft {
namespace {

constexpr int kAttempts = 10;

/// Two sides whose product is an area of a part drawn from `scale`, and whose ratio is drawn from `ratio`.
std::array<double, 2> draw_sides(double area, const std::array<double, 2>& scale, const std::array<double, 2>& ratio,
                                 RandomStream& random) {
  const double target = area * random.uniform(scale[0], scale[1]);
  const double aspect = std::exp(random.uniform(std::log(ratio[0]), std::log(ratio[1])));
  // nearbyint rounds halves to even, as Python does.
  return {std::nearbyint(std::sqrt(target * aspect)), std::nearbyint(std::sqrt(target / aspect))};
}

CropBox place(double box_height, double box_width, int height, int width, RandomStream& random) {
  CropBox box{.height = static_cast<int>(box_height), .width = static_cast<int>(box_width)};
  box.top = static_cast<int>(random.below(static_cast<std::uint64_t>(height - box.height) + 1));
  box.left = static_cast<int>(random.below(static_cast<std::uint64_t>(width - box.width) + 1));
  return box;
}

}  // namespace

CropBox random_crop_box(int height, int width, const std::array<double, 2>& scale, const std::array<double, 2>& ratio,
                        RandomStream& random) {
  for (int i = 0; i < kAttempts; ++i) {
    const auto [w, h] = draw_sides(static_cast<double>(height) * width, scale, ratio, random);
    if (w >= 1 && h >= 1 && w <= width && h <= height) return place(h, w, height, width, random);
  }
  CropBox box{.height = height, .width = width};
  const double found = static_cast<double>(width) / height;
  if (found < ratio[0]) box.height = std::max(1, static_cast<int>(std::nearbyint(width / ratio[0])));
  if (found > ratio[1]) box.width = std::max(1, static_cast<int>(std::nearbyint(height * ratio[1])));
  box.top = (height - box.height) / 2;
  box.left = (width - box.width) / 2;
  return box;
}

std::optional<CropBox> random_erase_box(int height, int width, const std::array<double, 2>& scale,
                                        const std::array<double, 2>& ratio, RandomStream& random) {
  for (int i = 0; i < kAttempts; ++i) {
    const auto [h, w] = draw_sides(static_cast<double>(height) * width, scale, ratio, random);
    if (h < height && w < width) return place(h, w, height, width, random);
  }
  return std::nullopt;
}

}  // namespace graft
