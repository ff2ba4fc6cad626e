#include "graft/image/preprocess.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <locale>
#include <sstream>

namespace graft {
namespace {

std::int64_t cropped_length(std::int64_t length, std::int64_t other) { return std::min(length, kLongestRatio * other); }

/// (pixel / 255 - mean) / std as one multiplication and one addition a pixel.
struct Normalization {
  std::vector<double> scale, offset;

  explicit Normalization(const InputSpec& spec) {
    for (std::size_t c = 0; c < 3; ++c) {
      scale.push_back(1 / (255 * spec.std.at(c)));
      offset.push_back(-spec.mean.at(c) / spec.std.at(c));
    }
  }
};

/// Row by row.
std::vector<double> numbers_of(const ColorMatrix& matrix) {
  std::vector<double> numbers;
  for (const auto& row : matrix) numbers.insert(numbers.end(), row.begin(), row.end());
  return numbers;
}

std::string list_text(const std::vector<double>& values) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << std::scientific << std::setprecision(17);
  for (const double value : values) out << (out.tellp() > 0 ? ", " : "") << value;
  return "[" + out.str() + "]";
}

std::string replaced(std::string text, const std::string& name, const std::string& value) {
  for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + value.size()))
    text.replace(at, name.size(), value);
  return text;
}

// Dtype 0 is uint8, 6 is float32 and memory format 2 is channels_last: a method defined from C++ knows no torch.uint8.
constexpr const char* kCheck = R"py(def preprocess(self, images: Tensor) -> Tensor:
    is_batch = images.dim() == 4 and images.dtype == 0 and images.numel() > 0
    assert is_batch and images.size(3) == 3, "images: found a tensor " + str(images.size()) + " of dtype number " + str(images.dtype) + ", expected uint8 (dtype number 0) [N, H, W, 3] of RGB pixels: permute it, or add the batch's dimension"
)py";

constexpr const char* kShorter = R"py(    if images.size(2) > @RATIO * images.size(1):
        images = torch.narrow(images, 2, (images.size(2) - @RATIO * images.size(1)) // 2, @RATIO * images.size(1))
    if images.size(1) > @RATIO * images.size(2):
        images = torch.narrow(images, 1, (images.size(1) - @RATIO * images.size(2)) // 2, @RATIO * images.size(2))
    height = images.size(1)
    width = images.size(2)
    shorter = min(height, width)
    resized_height = (@SIDE * height) // shorter
    resized_width = (@SIDE * width) // shorter
    spare_height = resized_height - @SIZE
    spare_width = resized_width - @SIZE
    top = spare_height // 2 + (spare_height % 2) * ((spare_height // 2) % 2)
    left = spare_width // 2 + (spare_width % 2) * ((spare_width // 2) % 2)
)py";

constexpr const char* kSquash = R"py(    resized_height = @SIZE
    resized_width = @SIZE
    top = 0
    left = 0
)py";

// Only the CPU resizes uint8; elsewhere the same filter runs in float and is rounded to grey levels after each pass.
constexpr const char* kPixels = R"py(    pixels = images.contiguous().permute(0, 3, 1, 2)
    if resized_height < images.size(1) and images.size(1) - resized_height > 2 * (images.size(2) - resized_width):
        passes = [[resized_height, images.size(2)], [resized_height, resized_width]]
    elif images.is_cuda:
        passes = [[images.size(1), resized_width], [resized_height, resized_width]]
    else:
        passes = [[resized_height, resized_width]]
    for size in passes:
        if images.is_cuda:
            pixels = torch.clamp(torch.floor(torch.@RESIZE(pixels.to(6), size, False) + 0.5), 0, 255)
        else:
            pixels = torch.@RESIZE(pixels, size, False)
    pixels = torch.narrow(torch.narrow(pixels, 2, top, @SIZE), 3, left, @SIZE)
    scale = torch.tensor(@SCALE, dtype=6, device=images.device).reshape(1, 3, 1, 1)
    offset = torch.tensor(@OFFSET, dtype=6, device=images.device).reshape(1, 3, 1, 1)
    normalized = pixels.to(6, False, False, 2).mul_(scale).add_(offset)
)py";

constexpr const char* kWhiten = R"py(    whitened = torch.zeros_like(normalized)
    columns = torch.tensor(@MATRIX, dtype=6, device=images.device).reshape(3, 3).t().reshape(3, 1, 3, 1, 1)
    for channel in range(3):
        whitened.add_(torch.narrow(normalized, 1, channel, 1) * columns[channel])
    return whitened
)py";

constexpr const char* kReturn = "    return normalized\n";

/// LibTorch resizes rows first and rounds before it resizes columns. Pillow 13 does so too, but begins with the columns
/// where that takes away more than twice as many rows as the other pass takes columns (found by experiment).
bool starts_with_columns(int height, int width, const ImageSize& target) {
  return target.height < height && height - target.height > 2 * (width - target.width);
}

at::Tensor resize_planes(const at::Tensor& planes, const ImageSize& size, Interpolation interpolation) {
  const std::array<std::int64_t, 2> sides{size.height, size.width};
  return interpolation == Interpolation::kBicubic ? at::_upsample_bicubic2d_aa(planes, sides, false)
                                                  : at::_upsample_bilinear2d_aa(planes, sides, false);
}

at::Tensor normalized_on_device(const at::Tensor& images, const Normalization& normalization) {
  const auto by_channel = [&](const std::vector<double>& values) {
    return at::tensor(values, at::kFloat).reshape({1, 3, 1, 1}).to(images.device());
  };
  return images.permute({0, 3, 1, 2})
      .to(at::kFloat, false, false, at::MemoryFormat::ChannelsLast)
      .mul_(by_channel(normalization.scale))
      .add_(by_channel(normalization.offset));
}

/// The same, bit for bit: a batch goes through the processor's caches once, not three times.
at::Tensor normalized_in_one_pass(const at::Tensor& images, const Normalization& normalization) {
  constexpr std::int64_t kBlock = 48;  // whole pixels, and whole vectors
  std::array<float, kBlock> scale, offset;
  for (std::size_t i = 0; i < kBlock; ++i) {
    scale[i] = static_cast<float>(normalization.scale[i % 3]);
    offset[i] = static_cast<float>(normalization.offset[i % 3]);
  }
  const at::Tensor pixels = images.contiguous(), result = at::empty(images.sizes(), at::kFloat);
  const auto* in = pixels.const_data_ptr<std::uint8_t>();
  auto* out = result.data_ptr<float>();
  const std::int64_t count = pixels.numel();
  for (std::int64_t begin = 0; begin < count; begin += kBlock)
    for (std::int64_t i = 0; i < std::min(kBlock, count - begin); ++i)
      out[begin + i] =
          static_cast<float>(in[begin + i]) * scale[static_cast<std::size_t>(i)] + offset[static_cast<std::size_t>(i)];
  return result.permute({0, 3, 1, 2});  // whose strides are those of channels_last
}

/// float [N, 3, S, S]. A product of matrices might add in another order in a batch of another size.
at::Tensor times_matrix(const at::Tensor& pixels, const ColorMatrix& matrix) {
  const at::Tensor columns = tensor_of(matrix).t().to(pixels.options()).reshape({3, 1, 3, 1, 1});
  at::Tensor product = at::zeros_like(pixels);
  for (std::int64_t channel = 0; channel < 3; ++channel) product.add_(pixels.narrow(1, channel, 1) * columns[channel]);
  return product;
}

}  // namespace

at::Tensor resize_image(const at::Tensor& image, int height, int width, Interpolation interpolation) {
  TORCH_CHECK(image.dim() == 3 && image.size(2) == 3 && image.scalar_type() == at::kByte,
              "resize_image: expected a uint8 tensor [H, W, 3]");
  const int from_height = static_cast<int>(image.size(0)), from_width = static_cast<int>(image.size(1));
  // In this order the strides are those of channels_last, for which LibTorch has a faster resize.
  at::Tensor planes = image.contiguous().unsqueeze(0).permute({0, 3, 1, 2});
  if (starts_with_columns(from_height, from_width, {height, width}))
    planes = resize_planes(planes, {height, from_width}, interpolation);
  planes = resize_planes(planes, {height, width}, interpolation);
  return planes.squeeze(0).permute({1, 2, 0}).contiguous();
}

int center_crop_offset(int length, int size) {
  const int spare = length - size;
  TORCH_CHECK(spare >= 0, "center_crop_offset: ", size, " pixels out of ", length);
  return spare / 2 + (spare % 2) * (spare / 2 % 2);
}

ImageSize resized_size(int image_height, int image_width, const InputSpec& spec) {
  TORCH_CHECK(image_height > 0 && image_width > 0, "resized_size: an image without pixels");
  if (spec.resize == ResizeMode::kSquash) return {spec.size, spec.size};
  const std::int64_t height = cropped_length(image_height, image_width);
  const std::int64_t width = cropped_length(image_width, image_height);
  const std::int64_t shorter = std::min(height, width);
  const std::int64_t side = spec.resized_side();
  return {static_cast<int>(side * height / shorter), static_cast<int>(side * width / shorter)};
}

at::Tensor resize_to_crop(const at::Tensor& image, const InputSpec& spec) {
  at::Tensor part = image;
  if (spec.resize == ResizeMode::kShorter) {
    for (const int side : {0, 1}) {
      const auto length = image.size(side), kept = cropped_length(length, image.size(1 - side));
      part = part.narrow(side, (length - kept) / 2, kept);
    }
  }
  const ImageSize size = resized_size(static_cast<int>(image.size(0)), static_cast<int>(image.size(1)), spec);
  return resize_image(part, size.height, size.width, spec.interpolation);
}

at::Tensor fit_image(const at::Tensor& image, const InputSpec& spec) {
  const at::Tensor resized = resize_to_crop(image, spec);
  const int height = static_cast<int>(resized.size(0)), width = static_cast<int>(resized.size(1));
  return resized.narrow(0, center_crop_offset(height, spec.size), spec.size)
      .narrow(1, center_crop_offset(width, spec.size), spec.size)
      .contiguous();
}

at::Tensor normalize_images(const at::Tensor& images, const InputSpec& spec) {
  TORCH_CHECK(images.dim() == 4 && images.size(3) == 3 && images.scalar_type() == at::kByte,
              "normalize_images: expected a uint8 tensor [N, S, S, 3]");
  const Normalization normalization(spec);
  const at::Tensor normalized =
      images.is_cpu() ? normalized_in_one_pass(images, normalization) : normalized_on_device(images, normalization);
  return spec.whiten ? times_matrix(normalized, *spec.whiten) : normalized;
}

at::Tensor tensor_of(const ColorMatrix& matrix) { return at::tensor(numbers_of(matrix), at::kDouble).reshape({3, 3}); }

std::string preprocess_source(const InputSpec& spec) {
  const Normalization normalization(spec);
  const bool squash = spec.resize == ResizeMode::kSquash;
  std::string text = std::string(kCheck) + (squash ? kSquash : kShorter) + kPixels + (spec.whiten ? kWhiten : kReturn);
  text = replaced(std::move(text), "@RATIO", std::to_string(kLongestRatio));
  text = replaced(std::move(text), "@SIDE", std::to_string(spec.resized_side()));
  text = replaced(std::move(text), "@SIZE", std::to_string(spec.size));
  const bool bicubic = spec.interpolation == Interpolation::kBicubic;
  text = replaced(std::move(text), "@RESIZE", bicubic ? "_upsample_bicubic2d_aa" : "_upsample_bilinear2d_aa");
  if (spec.whiten) text = replaced(std::move(text), "@MATRIX", list_text(numbers_of(*spec.whiten)));
  text = replaced(std::move(text), "@SCALE", list_text(normalization.scale));
  return replaced(std::move(text), "@OFFSET", list_text(normalization.offset));
}

}  // namespace graft
