#include "graft/image/noise.h"

#include <ATen/Functions.h>

#include <cmath>
#include <string>

#include "graft/image/encode.h"
#include "graft/image/jpeg.h"
#include "graft/image/pixels.h"

namespace graft {

void draw_normal(std::span<float> numbers, RandomStream& random) {
  for (std::size_t i = 0; i < numbers.size(); i += 2) {
    double x = 0, y = 0, square = 0;
    do {
      x = random.uniform(-1, 1);
      y = random.uniform(-1, 1);
      square = x * x + y * y;
    } while (square >= 1 || square == 0);
    const double scale = std::sqrt(-2 * std::log(square) / square);
    numbers[i] = static_cast<float>(x * scale);
    if (i + 1 < numbers.size()) numbers[i + 1] = static_cast<float>(y * scale);
  }
}

at::Tensor add_noise(const at::Tensor& image, const at::Tensor& noise) {
  const at::Tensor whole = contiguous_image(image, "add_noise");
  TORCH_CHECK(noise.scalar_type() == at::kFloat && noise.sizes() == image.sizes(),
              "add_noise: expected noise float32 [H, W, 3]");
  return at::add(whole, noise, 255).round_().clamp_(0, 255).to(at::kByte);
}

at::Tensor salt_and_pepper(const at::Tensor& image, double amount, RandomStream& random) {
  const at::Tensor result = contiguous_image(image, "salt_and_pepper").clone();
  auto* pixel = result.data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < result.numel(); i += 3) {
    const double drawn = random.uniform();
    if (drawn < amount) std::fill_n(pixel + i, 3, static_cast<std::uint8_t>(drawn < amount / 2 ? 0 : 255));
  }
  return result;
}

at::Tensor jpeg(const at::Tensor& image, int quality) {
  const std::string bytes = encode_jpeg(image, quality);
  return decode_jpeg(std::as_bytes(std::span(bytes)), 0, "a JPEG of an augmented image").pixels;
}

at::Tensor erase(const at::Tensor& image, const CropBox& box, const at::Tensor& pixels) {
  const at::Tensor result = contiguous_image(image, "erase").clone();
  result.narrow(0, box.top, box.height).narrow(1, box.left, box.width).copy_(pixels);
  return result;
}

}  // namespace graft
