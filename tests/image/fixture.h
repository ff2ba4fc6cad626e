#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <span>
#include <string>

namespace graft::test {

/// What tests/parity/image_reference.py wrote.
std::filesystem::path image_fixture(const std::string& name);
/// A dict of tensors among it, by key. Fails when it is not there.
std::map<std::string, at::Tensor> read_tensors(const std::string& name);

/// Decodes every pixel; `subject` is "photo".
at::Tensor decode(const std::string& bytes);

/// How two uint8 images differ. `largest` is 256 where they differ in shape.
struct Difference {
  int largest = 0;
  double part = 0;  ///< of the values that differ at all
};
Difference difference(const at::Tensor& a, const at::Tensor& b);

}  // namespace graft::test
