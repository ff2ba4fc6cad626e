#pragma once
#include <ATen/core/Tensor.h>

#include <string>

namespace graft {

/// The bytes of a JPEG file of an image uint8 [H, W, 3], of quality 1 to 100, with halved color as Pillow does.
std::string encode_jpeg(const at::Tensor& image, int quality);

}  // namespace graft
