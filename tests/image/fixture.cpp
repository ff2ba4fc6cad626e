#include "image/fixture.h"

#include <torch/torch.h>

#include "graft/core/files.h"
#include "graft/image/decode.h"

namespace graft::test {

std::filesystem::path image_fixture(const std::string& name) {
  return std::filesystem::path(GRAFT_FIXTURES_DIR) / "image" / name;
}

std::map<std::string, at::Tensor> read_tensors(const std::string& name) {
  const std::string bytes = read_file(image_fixture(name));
  std::map<std::string, at::Tensor> tensors;
  for (const auto& entry : torch::pickle_load({bytes.begin(), bytes.end()}).toGenericDict())
    tensors[entry.key().toStringRef()] = entry.value().toTensor();
  return tensors;
}

at::Tensor decode(const std::string& bytes) { return decode_image(std::as_bytes(std::span(bytes)), {}, "photo"); }

Difference difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return {.largest = 256, .part = 1};
  const at::Tensor apart = (a.to(at::kInt) - b.to(at::kInt)).abs();
  return {.largest = apart.max().item<int>(), .part = apart.ne(0).to(at::kDouble).mean().item<double>()};
}

}  // namespace graft::test
