#include "graft/image/encode.h"

#include <cstdint>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "graft/image/pixels.h"

namespace graft {

std::string encode_jpeg(const at::Tensor& image, int quality) {
  TORCH_CHECK(quality >= 1 && quality <= 100, "jpeg: expected a quality of 1 to 100");
  cv::Mat bgr;
  cv::cvtColor(mat_of(contiguous_image(image, "jpeg")), bgr, cv::COLOR_RGB2BGR);
  std::vector<std::uint8_t> bytes;
  cv::imencode(".jpg", bgr, bytes, {cv::IMWRITE_JPEG_QUALITY, quality});
  return {bytes.begin(), bytes.end()};
}

}  // namespace graft
