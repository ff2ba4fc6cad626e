#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "graft/image/byte_reader.h"

namespace graft {

enum class ImageFormat { kJpeg, kPng, kWebp, kBmp, kTiff, kGif };

/// Tells the format from the first bytes. @throws Error saying what the file is instead, where that can be told.
ImageFormat detect_format(Bytes bytes, const std::string& subject);

/// A file's image made ready for OpenCV: whole, of a bearable size, and with nothing in it that OpenCV would turn,
/// blend or complain about.
struct EncodedImage {
  Bytes bytes{};
  std::vector<std::byte> storage{};  ///< what `bytes` looks at, where it is not the file itself
  int orientation = 1;               ///< EXIF orientation, 1 to 8
};

/// Reads the container, not the pixels. @throws Error when the file is cut short or its image has too many pixels.
EncodedImage examine_image(Bytes bytes, ImageFormat format, const std::string& subject);

/// @throws Error when an image of this size has no pixels or more than 2^28
void check_pixel_count(std::uint64_t height, std::uint64_t width, const std::string& subject);
[[noreturn]] void throw_cut_short(const std::string& subject);
[[noreturn]] void throw_damaged(const std::string& subject, const std::string& reason);

}  // namespace graft
