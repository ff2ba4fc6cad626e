#include "graft/image/noise.h"

#include <ATen/Functions.h>

#include "graft/image/preprocess.h"
#include "graft/image/transform.h"

namespace graft {
namespace {

at::Tensor normal_tensor(at::IntArrayRef sizes, RandomStream& random) {
  const at::Tensor numbers = at::empty(sizes, at::kFloat);
  draw_normal({numbers.data_ptr<float>(), static_cast<std::size_t>(numbers.numel())}, random);
  return numbers;
}

ReadTransform read_gaussian_noise(TransformOptions& options, const InputSpec&) {
  const double mean = options.number("mean", 0, Range::between(-1, 1));
  const double sigma = options.number("sigma", 0.1, Range::between(0, 10));
  ReadTransform read{[=](const at::Tensor& image, RandomStream& random) {
    return add_noise(image, normal_tensor(image.sizes(), random).mul_(sigma).add_(mean));
  }};
  if (mean != 0) read.breaks.push_back(Property::kBrightness);
  return read;
}

ReadTransform read_salt_and_pepper(TransformOptions& options, const InputSpec&) {
  const double amount = options.number("amount", 0.05, Range::between(0, 1));
  const double p = options.probability();
  return {[=](const at::Tensor& image, RandomStream& random) {
    return random.uniform() < p ? salt_and_pepper(image, amount, random) : image;
  }};
}

ReadTransform read_jpeg(TransformOptions& options, const InputSpec&) {
  options.require("quality", "a quality, or the lowest and the highest, of 1 to 100");
  const Interval quality = options.interval_or_value("quality", {75, 75}, Range::between(1, 100), Numbers::kWhole);
  const int low = static_cast<int>(quality[0]);
  const auto count = static_cast<std::uint64_t>(quality[1] - quality[0]) + 1;
  return {[=](const at::Tensor& image, RandomStream& random) {
    return jpeg(image, low + static_cast<int>(random.below(count)));
  }};
}

/// Normal numbers where the network's input is normalised (and white): there they have the mean and deviation of
/// images.
at::Tensor random_pixels(const CropBox& box, const InputSpec& input, RandomStream& random) {
  const auto levels = [](const std::array<double, 3>& values) {
    return at::tensor(at::ArrayRef<double>(values), at::kFloat).mul_(255);
  };
  at::Tensor pixels = normal_tensor({box.height, box.width, 3}, random);
  if (input.whiten) pixels = pixels.matmul(at::linalg_pinv(tensor_of(*input.whiten)).t().to(at::kFloat));
  return pixels.mul_(levels(input.std)).add_(levels(input.mean)).round_().clamp_(0, 255).to(at::kByte);
}

ReadTransform read_random_erasing(TransformOptions& options, const InputSpec& input) {
  const double p = options.probability();
  const Interval scale = options.interval("scale", {0.02, 0.33}, Range::between(0, 1));
  const Interval ratio = options.interval("ratio", {0.3, 3.3}, Range::between(0.01, 100));
  const auto value = options.color_or("value", "random");
  return {[=](const at::Tensor& image, RandomStream& random) {
    if (random.uniform() >= p) return image;
    const auto box =
        random_erase_box(static_cast<int>(image.size(0)), static_cast<int>(image.size(1)), scale, ratio, random);
    if (!box) return image;
    if (!value) return erase(image, *box, random_pixels(*box, input, random));
    return erase(image, *box, at::tensor(at::ArrayRef<std::uint8_t>(*value), at::kByte));
  }};
}

}  // namespace

std::vector<TransformRow> noise_transforms() {
  return {{"gaussian_noise", read_gaussian_noise},
          {"salt_and_pepper", read_salt_and_pepper},
          {"jpeg", read_jpeg},
          {"random_erasing", read_random_erasing}};
}

}  // namespace graft
