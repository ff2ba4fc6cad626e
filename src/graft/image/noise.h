#pragma once
#include <ATen/core/Tensor.h>

#include <span>

#include "graft/core/random.h"
#include "graft/image/random_box.h"

namespace graft {

/// Fills `numbers` with standard normal ones (Marsaglia and Bray's polar method, 1964).
void draw_normal(std::span<float> numbers, RandomStream& random);

// All of these take an image uint8 [H, W, 3] and return one of this size, contiguous.

/// @param noise  float32 [H, W, 3], in parts of 255 levels; the sum is rounded and clipped (torchvision's
///               gaussian_noise of an image of floats)
at::Tensor add_noise(const at::Tensor& image, const at::Tensor& noise);

/// Each pixel black or white at a probability of `amount`, as likely the one as the other (scikit-image's random_noise,
/// mode "s&p", but of all three channels at once).
at::Tensor salt_and_pepper(const at::Tensor& image, double amount, RandomStream& random);

/// Written as JPEG of this quality, 1 to 100, with halved color as Pillow does, and read again.
at::Tensor jpeg(const at::Tensor& image, int quality);

/// @param box     within the image
/// @param pixels  what stands there, uint8 and of a shape that spreads over [height, width, 3]
at::Tensor erase(const at::Tensor& image, const CropBox& box, const at::Tensor& pixels);

}  // namespace graft
