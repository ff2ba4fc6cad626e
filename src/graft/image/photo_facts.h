#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace graft {

enum class ImageFormat;

/// What a photo's file is, whatever its name says.
struct PhotoFacts {
  ImageFormat format{};
  int height = 0;  ///< of the whole photo, upright, pixels
  int width = 0;
  int orientation = 1;  ///< EXIF orientation, 1 to 8: how the stored pixels are turned
};

/// Reads the file to its end: what decode_image accepts has facts. @throws Error as decode_image does.
PhotoFacts examine_photo(std::span<const std::byte> bytes, const std::string& subject);

/// "JPEG".
std::string to_string(ImageFormat format);
/// The usual endings of a file's name, lower case with the dot.
const std::vector<std::string>& extensions_of(ImageFormat format);

}  // namespace graft
