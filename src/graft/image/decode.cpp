#include "graft/image/decode.h"

#include <ATen/Functions.h>

#include <limits>
#include <mutex>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/runtime.h"
#include "graft/image/encoded_image.h"
#include "graft/image/jpeg.h"
#include "graft/image/pixels.h"

namespace graft {
namespace {

at::Tensor new_image(int height, int width) { return at::empty({height, width, 3}, at::kByte); }

/// How an image of each EXIF orientation becomes upright: swap rows and columns, then flip.
struct Turn {
  bool transpose;
  std::optional<int> flip;  ///< cv::flip's code: 0 upside down, 1 left to right, -1 both
};
constexpr Turn kTurns[] = {{false, {}}, {false, 1}, {false, -1}, {false, 0},
                           {true, {}},  {true, 1},  {true, -1},  {true, 0}};

at::Tensor upright(at::Tensor image, int orientation) {
  const Turn& turn = kTurns[orientation - 1];
  if (turn.transpose) {
    const at::Tensor turned = new_image(static_cast<int>(image.size(1)), static_cast<int>(image.size(0)));
    cv::Mat out = mat_of(turned);
    cv::transpose(mat_of(image), out);
    image = turned;
  }
  if (turn.flip) {
    const at::Tensor flipped = at::empty_like(image);
    cv::Mat out = mat_of(flipped);
    cv::flip(mat_of(image), out, *turn.flip);
    image = flipped;
  }
  return image;
}

at::Tensor decode_with_opencv(const EncodedImage& encoded, ImageFormat format, const std::string& subject) {
  if (encoded.bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    throw Error({subject, "is larger than 2 GB", "a smaller file", ""});
  // What there is to say of the file goes into the error; OpenCV would print it as well.
  static std::once_flag quiet;
  std::call_once(quiet, [] { cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT); });
  const cv::Mat input(1, static_cast<int>(encoded.bytes.size()), CV_8U, const_cast<std::byte*>(encoded.bytes.data()));
  const cv::Mat decoded = cv::imdecode(input, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  if (decoded.empty() && format == ImageFormat::kGif)
    throw Error({subject, "is a GIF image, which this OpenCV (" CV_VERSION ") has no decoder for", "another format",
                 "convert it to PNG"});
  if (decoded.empty()) throw_damaged(subject, "OpenCV finds no pixels");
  return image_from_mat(decoded);
}

}  // namespace

at::Tensor image_from_mat(const cv::Mat& image) {
  const int channels = image.channels();
  if (image.depth() != CV_8U || image.dims != 2 || image.empty() || channels == 2 || channels > 4)
    throw Error({"cv::Mat", "is no 8-bit image of 1, 3 or 4 channels", "grey, BGR or BGRA pixels",
                 "convert it with cv::Mat::convertTo"});
  const at::Tensor pixels = new_image(image.rows, image.cols);
  cv::Mat out = mat_of(pixels);
  cv::cvtColor(image, out, channels == 1 ? cv::COLOR_GRAY2RGB : channels == 3 ? cv::COLOR_BGR2RGB : cv::COLOR_BGRA2RGB);
  return pixels;
}

at::Tensor decode_image(std::span<const std::byte> bytes, const DecodeOptions& options, const std::string& subject) {
  const ImageFormat format = detect_format(bytes, subject);
  try {
    if (format == ImageFormat::kJpeg) {
      DecodedJpeg jpeg = decode_jpeg(bytes, options.target, subject);
      return upright(std::move(jpeg.pixels), jpeg.orientation);
    }
    const EncodedImage encoded = examine_image(bytes, format, subject);
    return upright(decode_with_opencv(encoded, format, subject), encoded.orientation);
  } catch (const cv::Exception& error) {
    throw_damaged(subject, error.err);
  }
}

std::string decoder_version() {
  return "Graft " + graft_version() + ", OpenCV " + cv::getVersionString() + ", libjpeg " + jpeg_version();
}

at::Tensor decode_image_file(const std::filesystem::path& path, const DecodeOptions& options) {
  const std::string bytes = read_file(path);
  return decode_image(std::as_bytes(std::span(bytes)), options, "image '" + path.string() + "'");
}

}  // namespace graft
