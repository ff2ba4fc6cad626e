#include "graft/image/decode.h"

#include <ATen/ATen.h>

#include <mutex>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/image/image_header.h"

namespace graft {
namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 28;

/// The largest reduction that leaves the shorter side at least twice the target.
int reduction(const ImageHeader& header, int target) {
  if (header.format != "jpeg" || target <= 0) return 1;
  for (const int factor : {8, 4, 2})
    if (std::min(header.width, header.height) / factor >= 2 * std::int64_t{target}) return factor;
  return 1;
}

int imread_flag(int factor) {
  return factor == 8   ? cv::IMREAD_REDUCED_COLOR_8
         : factor == 4 ? cv::IMREAD_REDUCED_COLOR_4
         : factor == 2 ? cv::IMREAD_REDUCED_COLOR_2
                       : cv::IMREAD_COLOR;
}

void check_header(std::span<const std::byte> bytes, const ImageHeader& header, const std::string& subject) {
  const std::string expected = "JPEG, PNG, WebP, BMP or TIFF";
  if (bytes.empty()) throw Error({subject, "is empty", expected, ""});
  if (header.format.empty()) throw Error({subject, "is no image in a format that is known", expected, ""});
  if (header.width * header.height > kMostPixels)
    throw Error({subject, "claims " + std::to_string(header.width) + " x " + std::to_string(header.height) + " pixels",
                 "at most 2^28 pixels", ""});
  if (!header.complete)
    throw Error({subject, "is cut short (no end-of-image marker)", "a complete JPEG", "incomplete download?"});
}

cv::Mat decode_bgr(std::span<const std::byte> bytes, const ImageHeader& header, int factor,
                   const std::string& subject) {
  static std::once_flag quiet;
  std::call_once(quiet, [] { cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT); });
  const cv::Mat input(1, static_cast<int>(bytes.size()), CV_8U, const_cast<std::byte*>(bytes.data()));
  cv::Mat image;
  try {
    image = cv::imdecode(input, imread_flag(factor));
  } catch (const cv::Exception& error) {
    throw Error({subject, "cannot be decoded (" + error.err + ")", "a complete " + header.format + " image", ""});
  }
  if (!image.empty()) return image;
  const bool known = cv::haveImageReader("." + header.format);
  throw Error({subject, "cannot be decoded as " + header.format, "JPEG, PNG, WebP, BMP or TIFF",
               header.format == "gif" || header.format == "heif" || !known
                   ? "this OpenCV has no decoder for " + header.format
                   : "the file may be damaged"});
}

}  // namespace

at::Tensor image_from_mat(const cv::Mat& image) {
  if (image.depth() != CV_8U || image.dims != 2 || image.empty() || image.channels() == 2 || image.channels() > 4)
    throw Error({"cv::Mat", "is no 8-bit image of 1, 3 or 4 channels", "BGR, BGRA or grey",
                 "convert it with cv::Mat::convertTo"});
  at::Tensor pixels = at::empty({image.rows, image.cols, 3}, at::kByte);
  cv::Mat rgb(image.rows, image.cols, CV_8UC3, pixels.data_ptr());
  const std::vector<int> bgr_to_rgb{0, 2, 1, 1, 2, 0};
  const std::vector<int> grey_to_rgb{0, 0, 0, 1, 0, 2};
  cv::mixChannels({image}, {rgb}, image.channels() == 1 ? grey_to_rgb : bgr_to_rgb);
  return pixels;
}

at::Tensor decode_image(std::span<const std::byte> bytes, const DecodeOptions& options, const std::string& subject) {
  const ImageHeader header = read_image_header(bytes);
  check_header(bytes, header, subject);
  return image_from_mat(decode_bgr(bytes, header, reduction(header, options.target), subject));
}

at::Tensor decode_image_file(const std::filesystem::path& path, const DecodeOptions& options) {
  const std::string bytes = read_file(path);
  return decode_image(std::as_bytes(std::span(bytes)), options, "image '" + path.string() + "'");
}

}  // namespace graft
