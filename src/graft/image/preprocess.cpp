#include "graft/image/preprocess.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <iomanip>
#include <sstream>

namespace graft {
namespace {

at::Tensor resize_planes(const at::Tensor& planes, int height, int width, Interpolation interpolation) {
  return interpolation == Interpolation::kBilinear ? at::_upsample_bilinear2d_aa(planes, {height, width}, false)
                                                   : at::_upsample_bicubic2d_aa(planes, {height, width}, false);
}

at::Tensor colour(const std::array<double, 3>& values, const at::Tensor& like) {
  return at::tensor(at::ArrayRef<double>(values), like.options().dtype(at::kFloat)).view({1, 3, 1, 1});
}

std::string list(const std::array<double, 3>& values) {
  std::ostringstream text;
  text << std::setprecision(17) << std::showpoint << "[" << values[0] << ", " << values[1] << ", " << values[2] << "]";
  return text.str();
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

constexpr const char* kShorterSide = R"(
  short = min(x.size(2), x.size(3))
  height = max(int(float($SIDE * x.size(2)) / float(short)), $SIDE)
  width = max(int(float($SIDE * x.size(3)) / float(short)), $SIDE)
)";
constexpr const char* kSquash = R"(
  height = $SIDE
  width = $SIDE
)";

constexpr const char* kPreprocess = R"(
def preprocess(self, images: Tensor) -> Tensor:
  if images.dim() != 4 or images.size(3) != 3 or images.dtype != torch.uint8:
    raise Exception("images: expected uint8 [N, H, W, 3], RGB")
  x = images.permute([0, 3, 1, 2])
$GEOMETRY
  if x.is_cuda:
    x = torch.round(torch.$RESIZE(x.to(torch.float32), [height, width], False, None, None)).clamp(0, 255)
  else:
    x = torch.$RESIZE(x, [height, width], False, None, None)
  down = height - $SIZE
  right = width - $SIZE
  top = down // 2 + (down % 2) * ((down // 2) % 2)
  left = right // 2 + (right % 2) * ((right // 2) % 2)
  x = x[:, :, top:top + $SIZE, left:left + $SIZE].to(torch.float32)
  mean = torch.tensor($MEAN, dtype=torch.float32, device=x.device).view([1, 3, 1, 1])
  std = torch.tensor($STD, dtype=torch.float32, device=x.device).view([1, 3, 1, 1])
  return x.div(255.0).sub(mean).div(std)
)";

}  // namespace

at::Tensor resize_image(const at::Tensor& image, int height, int width, Interpolation interpolation) {
  const at::Tensor planes = image.permute({2, 0, 1}).unsqueeze(0);
  return resize_planes(planes, height, width, interpolation).squeeze(0).permute({1, 2, 0}).contiguous();
}

int center_crop_offset(int length, int size) {
  const int difference = length - size;
  const int half = difference / 2;
  return half + (difference % 2) * (half % 2);
}

ImageSize resized_size(int image_height, int image_width, const InputSpec& spec) {
  const int side = spec.resized_side();
  if (spec.resize == ResizeMode::kSquash) return {side, side};
  const double shorter = std::min(image_height, image_width);
  const auto scaled = [&](int length) {
    return std::max(static_cast<int>(static_cast<double>(side) * length / shorter), side);
  };
  return {scaled(image_height), scaled(image_width)};
}

at::Tensor fit_image(const at::Tensor& image, const InputSpec& spec) {
  const ImageSize size = resized_size(static_cast<int>(image.size(0)), static_cast<int>(image.size(1)), spec);
  const at::Tensor resized = resize_image(image, size.height, size.width, spec.interpolation);
  const int top = center_crop_offset(size.height, spec.size);
  const int left = center_crop_offset(size.width, spec.size);
  return resized.slice(0, top, top + spec.size).slice(1, left, left + spec.size).contiguous();
}

at::Tensor normalize_images(const at::Tensor& images, const InputSpec& spec) {
  const at::Tensor planes = images.permute({0, 3, 1, 2}).to(at::kFloat);
  return planes.div(255.0).sub_(colour(spec.mean, planes)).div_(colour(spec.std, planes));
}

std::string preprocess_source(const InputSpec& spec) {
  std::string source = kPreprocess;
  std::string geometry = spec.resize == ResizeMode::kSquash ? kSquash : kShorterSide;
  geometry = geometry.substr(1, geometry.size() - 2);
  replace_all(source, "$GEOMETRY", geometry);
  replace_all(source, "$RESIZE",
              spec.interpolation == Interpolation::kBilinear ? "_upsample_bilinear2d_aa" : "_upsample_bicubic2d_aa");
  replace_all(source, "$SIDE", std::to_string(spec.resized_side()));
  replace_all(source, "$SIZE", std::to_string(spec.size));
  replace_all(source, "$MEAN", list(spec.mean));
  replace_all(source, "$STD", list(spec.std));
  return source;
}

}  // namespace graft
