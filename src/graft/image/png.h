#pragma once
#include <string>

#include "graft/image/encoded_image.h"

namespace graft {

/// Keeps the chunks that hold pixels. Transparency goes, as in Pillow's convert("RGB"); so do colour profiles and
/// texts, about whose flaws libpng would print warnings.
/// @throws std::out_of_range when the file is cut short
EncodedImage examine_png(Bytes bytes, const std::string& subject);

}  // namespace graft
