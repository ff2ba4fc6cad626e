#include "image/fixture.h"

#include <ATen/ATen.h>

#include <span>

#include "graft/image/decode.h"

namespace graft::test {

std::filesystem::path image_fixture(const std::string& name) {
  return std::filesystem::path(GRAFT_FIXTURES_DIR) / "image" / name;
}

at::Tensor decode(const std::string& bytes) { return decode_image(std::as_bytes(std::span(bytes)), {}, "photo"); }

Difference difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return {.largest = 256, .part = 1};
  const at::Tensor apart = (a.to(at::kInt) - b.to(at::kInt)).abs();
  return {.largest = apart.max().item<int>(), .part = apart.ne(0).to(at::kDouble).mean().item<double>()};
}

}  // namespace graft::test
