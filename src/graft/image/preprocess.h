#pragma once
#include <ATen/core/Tensor.h>

#include "graft/image/input_spec.h"

namespace graft {

/// Antialiased resize as Pillow's `Image.resize` does it (at most one grey level apart bilinear, two bicubic, under 1 %
/// of values).
/// @param image  uint8 [H, W, 3]
/// @return uint8 [height, width, 3], contiguous
at::Tensor resize_image(const at::Tensor& image, int height, int width, Interpolation interpolation);

/// Offset of a centre crop of `size` out of `length` pixels: half of the difference, halves rounded to even, as
/// torchvision's CenterCrop.
int center_crop_offset(int length, int size);

/// An image with longer sides than this many times the shorter one is centre-cropped to it before it is resized: the
/// centre crop drops the rest anyway, and resizing it first could take gigabytes.
inline constexpr int kLongestRatio = 32;

/// Height and width that `image_height` x `image_width` is resized to before the crop (torchvision's Resize: the longer
/// side truncated; beyond kLongestRatio, that of the cropped image).
struct ImageSize {
  int height = 0;
  int width = 0;
};
ImageSize resized_size(int image_height, int image_width, const InputSpec& spec);

/// The resize of fit_image, without its centre crop: uint8 [H, W, 3] -> uint8 of resized_size.
at::Tensor resize_to_crop(const at::Tensor& image, const InputSpec& spec);

/// Resize and crop for evaluation: uint8 [H, W, 3] -> uint8 [S, S, 3]. The artifact's `preprocess` computes the same.
at::Tensor fit_image(const at::Tensor& image, const InputSpec& spec);

/// uint8 [N, S, S, 3] on any device -> float32 [N, 3, S, S] (channels_last memory): (pixel / 255 - mean) / std,
/// and where the spec whitens its matrix times that.
at::Tensor normalize_images(const at::Tensor& images, const InputSpec& spec);

/// float64 [3, 3].
at::Tensor tensor_of(const ColorMatrix& matrix);

/// Source of a TorchScript method `preprocess(self, images)` that does fit_image and normalize_images to uint8 [N, H,
/// W, 3] of any size, bit for bit on the CPU; on CUDA it resizes in float. It raises on any other kind of tensor.
std::string preprocess_source(const InputSpec& spec);

}  // namespace graft
