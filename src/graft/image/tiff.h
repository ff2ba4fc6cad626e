#pragma once
#include <string>

#include "graft/image/encoded_image.h"

namespace graft {

/// The orientation, 1 to 8, that EXIF data (a small TIFF file, with or without "Exif\0\0" before it) asks for; 1 where
/// it says none or is damaged.
int exif_orientation(Bytes exif);

/// Turns off what OpenCV would do by itself: to rotate, though not for every orientation, and to blend with alpha.
/// @throws std::out_of_range when the file is cut short
EncodedImage examine_tiff(Bytes bytes, const std::string& subject);

}  // namespace graft
