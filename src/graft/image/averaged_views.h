#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "graft/image/input_spec.h"

namespace graft {

/// Views of an image over which an answer can be averaged (test-time augmentation): "none", "hflip", "flips" (both
/// ways and together), "five_crop" and "ten_crop" (corners and centre of the resized image; torchvision's, whose
/// second five are flipped left to right).
const std::vector<std::string>& averaged_view_names();
/// @throws Error when there is no such name, or the input leaves nothing to crop (resize "squash").
void check_averaged_views(const std::string& name, const InputSpec& spec);
/// uint8 [H, W, 3] -> uint8 [V, S, S, 3]; with "none" the one image that fit_image gives.
at::Tensor averaged_views(const at::Tensor& image, const InputSpec& spec, const std::string& name);

}  // namespace graft
