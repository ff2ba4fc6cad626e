#pragma once
#include <ATen/core/Tensor.h>

namespace graft {

// Both take an image uint8 [H, W, 3] and return one of this size, contiguous.

/// As torchvision on Pillow images: away from the image smoothed over 3 x 3 pixels, whose outermost pixels stay.
/// @param factor  0 is smoothed, 1 no change (the image itself), above 1 sharpened
at::Tensor adjust_sharpness(const at::Tensor& image, double factor);

/// As torchvision's gaussian_blur: mirrored at the edges, rounded once.
/// @param kernel_size  odd, in pixels along both sides
/// @param sigma        above 0, in pixels
at::Tensor gaussian_blur(const at::Tensor& image, int kernel_size, double sigma);

/// The same of a map of numbers, float32 [H, W].
at::Tensor gaussian_blur_map(const at::Tensor& map, int kernel_size, double sigma);

}  // namespace graft
