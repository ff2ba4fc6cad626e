#pragma once
#include <ATen/core/Tensor.h>

#include <string>

#include "graft/image/byte_reader.h"

namespace graft {

struct DecodedJpeg {
  at::Tensor pixels;    ///< uint8 [H, W, 3], not yet upright
  int orientation = 1;  ///< EXIF orientation, 1 to 8
};

/// Decodes a JPEG to RGB with libjpeg, as Pillow does: CMYK is taken for inverted, as Adobe writes it. (OpenCV would
/// print libjpeg's warnings, accept a file that is cut short, and take about 1.5 times as long.)
/// @param target  see DecodeOptions
DecodedJpeg decode_jpeg(Bytes bytes, int target, const std::string& subject);

/// libjpeg's version of its interface, "62".
std::string jpeg_version();

/// What a JPEG's header says.
struct JpegHeader {
  int height = 0;  ///< as stored, pixels
  int width = 0;
  int orientation = 1;  ///< EXIF orientation, 1 to 8
};
JpegHeader read_jpeg_header(Bytes bytes, const std::string& subject);

}  // namespace graft
