#pragma once
#include <ATen/core/Tensor.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace cv {
class Mat;
}

namespace graft {

/// How much of a photo is decoded. A reduced JPEG (1/2, 1/4, 1/8) is decoded only while its shorter side keeps at
/// least twice `target` pixels; 0 asks for every pixel.
struct DecodeOptions {
  int target = 0;
};

/// Decodes a JPEG, PNG, WebP, BMP, TIFF or (where OpenCV can) GIF to RGB, EXIF-upright: uint8 [H, W, 3], contiguous.
/// Grey, palette, 16-bit, RGBA and CMYK become RGB as Pillow's `convert("RGB")` makes them, but for 16-bit grey, which
/// Pillow clips at 255 and this divides by 256. `subject` names the image in errors.
/// @throws Error when the bytes are no image that can be decoded, are cut short, or hold more than 2^28 pixels.
at::Tensor decode_image(std::span<const std::byte> bytes, const DecodeOptions& options, const std::string& subject);
at::Tensor decode_image_file(const std::filesystem::path& path, const DecodeOptions& options);

/// Names what decides which files can be decoded: this library and those under it.
std::string decoder_version();

/// An 8-bit image as OpenCV holds it (BGR, BGRA or grey) -> uint8 [H, W, 3] RGB, a copy.
/// @throws Error when it is anything else
at::Tensor image_from_mat(const cv::Mat& image);

}  // namespace graft
