#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>

namespace graft::test {

/// A file that tests/parity/image_reference.py wrote.
std::filesystem::path image_fixture(const std::string& name);

/// Decodes every pixel; `subject` is "photo".
at::Tensor decode(const std::string& bytes);

/// How two uint8 images differ. `largest` is 256 where they differ in shape.
struct Difference {
  int largest = 0;
  double part = 0;  ///< of the values that differ at all
};
Difference difference(const at::Tensor& a, const at::Tensor& b);

}  // namespace graft::test
