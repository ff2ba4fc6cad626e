#pragma once
#include <array>
#include <optional>

#include "graft/core/random.h"

namespace graft {

/// A rectangle of an image, in pixels.
struct CropBox {
  int top = 0;
  int left = 0;
  int height = 0;
  int width = 0;
};

/// The rectangle that random_resized_crop cuts: up to ten draws of an area (a part of the image's, within `scale`) and
/// a width-to-height ratio (log-uniform within `ratio`), else the largest central one (torchvision's
/// RandomResizedCrop).
CropBox random_crop_box(int height, int width, const std::array<double, 2>& scale, const std::array<double, 2>& ratio,
                        RandomStream& random);

/// The rectangle that random_erasing erases: up to ten draws of an area and a height-to-width ratio (log-uniform) for
/// one that is smaller than the image along both sides, else none (torchvision's RandomErasing).
std::optional<CropBox> random_erase_box(int height, int width, const std::array<double, 2>& scale,
                                        const std::array<double, 2>& ratio, RandomStream& random);

}  // namespace graft
