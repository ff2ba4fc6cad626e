#pragma once
#include <ATen/core/Tensor.h>

#include <array>

namespace graft {

// All of these take an image uint8 [H, W, 3] of RGB and return one of this size, contiguous; with the parameter of no
// change, the image itself. They agree with torchvision's functions of these names on Pillow images, where not said
// otherwise.

/// @param factor  0 is black, 1 no change
at::Tensor adjust_brightness(const at::Tensor& image, double factor);
/// @param factor  0 is the grey of the image's mean, 1 no change
at::Tensor adjust_contrast(const at::Tensor& image, double factor);
/// @param factor  0 is grey, 1 no change
at::Tensor adjust_saturation(const at::Tensor& image, double factor);
/// As torchvision on tensors: its Pillow form rounds hues to 1/256 of the circle.
/// @param turns  of the circle of hues, within [-0.5, 0.5]; 0 is no change
at::Tensor adjust_hue(const at::Tensor& image, double turns);
/// Levels in [0, 1] to the power of `gamma`, at least 0; 1 is no change.
at::Tensor adjust_gamma(const at::Tensor& image, double gamma);

/// Luma of ITU-R BT.601 in all three channels.
at::Tensor to_grayscale(const at::Tensor& image);
/// The upper `bits`, 0 to 8, of each level; 8 is no change.
at::Tensor posterize(const at::Tensor& image, int bits);
/// Levels of `threshold` or more inverted; above 255 is no change.
at::Tensor solarize(const at::Tensor& image, double threshold);
/// Each channel's histogram spread evenly.
at::Tensor equalize(const at::Tensor& image);
/// Each channel stretched from its darkest and brightest level to 0 and 255.
at::Tensor autocontrast(const at::Tensor& image);

/// One color added to all pixels: along each principal component of ImageNet's colors, `alpha` times its standard
/// deviation (Krizhevsky et al. 2012, section 4.1; components as fb.resnet.torch publishes them, of levels in [0, 1]).
at::Tensor shift_along_components(const at::Tensor& image, const std::array<double, 3>& alpha);

}  // namespace graft
