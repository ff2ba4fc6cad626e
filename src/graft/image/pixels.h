#pragma once
#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdint>
#include <opencv2/core/mat.hpp>

namespace graft {

/// `image` in one piece of memory, after a check that it is uint8 [H, W, 3] with pixels.
inline at::Tensor contiguous_image(const at::Tensor& image, const char* function) {
  TORCH_CHECK(image.dim() == 3 && image.size(2) == 3 && image.scalar_type() == at::kByte && image.numel() > 0, function,
              ": expected a uint8 tensor [H, W, 3]");
  return image.contiguous();
}

/// A contiguous uint8 [H, W, 3] as OpenCV sees it, sharing its memory.
inline cv::Mat mat_of(const at::Tensor& image) {
  return {static_cast<int>(image.size(0)), static_cast<int>(image.size(1)), CV_8UC3, image.data_ptr()};
}

/// `factor` of the way from `plain` to `level`, truncated, as Pillow's `Image.blend`.
inline std::uint8_t blend(std::uint8_t plain, std::uint8_t level, float factor) {
  const float from = plain, to = level;
  return static_cast<std::uint8_t>(std::clamp(from + factor * (to - from), 0.0F, 255.0F));
}

}  // namespace graft
