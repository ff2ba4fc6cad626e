#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace graft {

/// What the first bytes of an image file say, read without decoding.
struct ImageHeader {
  std::string format;      ///< "jpeg", "png", "gif", …, "" when the bytes start like none that is known
  std::int64_t width = 0;  ///< jpeg and png only, as stored (before EXIF); 0 where unknown
  std::int64_t height = 0;
  bool complete = true;  ///< jpeg only: the end-of-image marker was reached
};

ImageHeader read_image_header(std::span<const std::byte> bytes);

}  // namespace graft
