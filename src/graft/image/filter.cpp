#include "graft/image/filter.h"

#include <ATen/Functions.h>

#include <opencv2/imgproc.hpp>

#include "graft/image/pixels.h"

namespace graft {
namespace {

void check_kernel(int kernel_size, double sigma) {
  TORCH_CHECK(kernel_size > 0 && kernel_size % 2 == 1 && sigma > 0, "gaussian blur: expected an odd kernel size and a ",
              "sigma above 0");
}

}  // namespace

at::Tensor adjust_sharpness(const at::Tensor& image, double factor) {
  const at::Tensor whole = contiguous_image(image, "adjust_sharpness");
  if (factor == 1 || whole.size(0) < 3 || whole.size(1) < 3) return whole;
  const at::Tensor result = whole.clone();
  const auto part = static_cast<float>(factor);
  const int height = static_cast<int>(whole.size(0)), row = 3 * static_cast<int>(whole.size(1));
  for (int y = 1; y + 1 < height; ++y) {
    const auto* in = whole.const_data_ptr<std::uint8_t>() + std::ptrdiff_t{y} * row;
    auto* out = result.data_ptr<std::uint8_t>() + std::ptrdiff_t{y} * row;
    for (int x = 3; x + 3 < row; ++x) {
      int sum = 4 * in[x];
      for (const int line : {x - row, x, x + row}) sum += in[line - 3] + in[line] + in[line + 3];
      out[x] = blend(static_cast<std::uint8_t>((2 * sum + 13) / 26), in[x], part);
    }
  }
  return result;
}

at::Tensor gaussian_blur(const at::Tensor& image, int kernel_size, double sigma) {
  check_kernel(kernel_size, sigma);
  const at::Tensor whole = contiguous_image(image, "gaussian_blur"), result = at::empty_like(whole);
  // Of uint8 OpenCV rounds the kernel to 1/256 as well.
  cv::Mat levels, out = mat_of(result);
  mat_of(whole).convertTo(levels, CV_32F);
  cv::GaussianBlur(levels, levels, {kernel_size, kernel_size}, sigma, sigma, cv::BORDER_REFLECT_101);
  levels.convertTo(out, CV_8U);
  return result;
}

at::Tensor gaussian_blur_map(const at::Tensor& map, int kernel_size, double sigma) {
  check_kernel(kernel_size, sigma);
  TORCH_CHECK(map.dim() == 2 && map.scalar_type() == at::kFloat && map.is_contiguous(),
              "gaussian_blur_map: expected a ", "contiguous float32 tensor [H, W]");
  const at::Tensor result = at::empty_like(map);
  const int height = static_cast<int>(map.size(0)), width = static_cast<int>(map.size(1));
  const cv::Mat in(height, width, CV_32F, map.data_ptr());
  cv::Mat out(height, width, CV_32F, result.data_ptr());
  cv::GaussianBlur(in, out, {kernel_size, kernel_size}, sigma, sigma, cv::BORDER_REFLECT_101);
  return result;
}

}  // namespace graft
