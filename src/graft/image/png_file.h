#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>

namespace graft {

/// Writes uint8 [H, W, 3] RGB as a PNG. @throws Error when the file cannot be written.
void write_png(const at::Tensor& image, const std::filesystem::path& path);

}  // namespace graft
