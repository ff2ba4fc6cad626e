#include "graft/image/geometry.h"

#include <ATen/Functions.h>

#include <cmath>
#include <numbers>
#include <opencv2/core.hpp>

#include "graft/image/pixels.h"

namespace graft {
namespace {

struct Point {
  double x = 0;
  double y = 0;
};

/// An image to read between its pixels, whose centres lie at halves.
class Reader {
 public:
  Reader(const at::Tensor& image, const Resampling& resampling)
      : pixels_(image.const_data_ptr<std::uint8_t>()),
        height_(static_cast<int>(image.size(0))),
        width_(static_cast<int>(image.size(1))),
        resampling_(resampling) {}

  void read(const Point& at, std::uint8_t* out) const {
    // A point that is not a number is outside too.
    if (!(at.x >= 0 && at.x < width_ && at.y >= 0 && at.y < height_))
      std::copy(resampling_.fill.begin(), resampling_.fill.end(), out);
    else if (resampling_.sampling == Sampling::kNearest)
      std::copy_n(pixel(static_cast<int>(at.y), static_cast<int>(at.x)), 3, out);
    else
      blend_neighbors({at.x - 0.5, at.y - 0.5}, out);
  }

 private:
  const std::uint8_t* pixel(int y, int x) const { return pixels_ + 3 * (std::ptrdiff_t{y} * width_ + x); }

  void blend_neighbors(const Point& at, std::uint8_t* out) const {
    const double left = std::floor(at.x), top = std::floor(at.y);
    const int x0 = std::max(static_cast<int>(left), 0), x1 = std::min(static_cast<int>(left) + 1, width_ - 1);
    const int y0 = std::max(static_cast<int>(top), 0), y1 = std::min(static_cast<int>(top) + 1, height_ - 1);
    const double dx = at.x - left, dy = at.y - top;
    const auto *a = pixel(y0, x0), *b = pixel(y0, x1), *c = pixel(y1, x0), *d = pixel(y1, x1);
    for (int i = 0; i < 3; ++i) {
      const double upper = a[i] + (b[i] - a[i]) * dx, lower = c[i] + (d[i] - c[i]) * dx;
      out[i] = static_cast<std::uint8_t>(upper + (lower - upper) * dy);
    }
  }

  const std::uint8_t* pixels_;
  int height_;
  int width_;
  Resampling resampling_;
};

/// The image whose pixel (x, y) is read at source_of(x, y).
template <typename SourceOf>
at::Tensor resample(const at::Tensor& image, const Resampling& resampling, SourceOf source_of) {
  const at::Tensor result = at::empty_like(image);
  const Reader reader(image, resampling);
  const int height = static_cast<int>(image.size(0)), width = static_cast<int>(image.size(1));
  auto* out = result.data_ptr<std::uint8_t>();
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x, out += 3) reader.read(source_of(x, y), out);
  return result;
}

double radians(double degrees) { return degrees * std::numbers::pi / 180; }

/// Without the last digits, so that quarter turns are exact (Pillow's Image.rotate).
double rounded(double value) { return std::nearbyint(value * 1e15) / 1e15; }

/// Where the pixel at (x, y) of the changed image comes from: (m0 x + m1 y + m2, m3 x + m4 y + m5). It inverts scale *
/// rotation * shear along y * shear along x (torchvision's _get_inverse_affine_matrix).
std::array<double, 6> inverse_matrix(const AffineChange& change, const std::array<double, 2>& center) {
  const double turn = radians(change.degrees), shear_x = radians(change.shear[0]), shear_y = radians(change.shear[1]);
  const double a = std::cos(turn - shear_y) / std::cos(shear_y);
  const double b = -a * std::tan(shear_x) - std::sin(turn);
  const double c = std::sin(turn - shear_y) / std::cos(shear_y);
  const double d = -c * std::tan(shear_x) + std::cos(turn);
  std::array<double, 6> m{d, -b, 0, -c, a, 0};
  for (double& value : m) value = rounded(value) / change.scale;
  const double x = -center[0] - change.translate[0], y = -center[1] - change.translate[1];
  m[2] = m[0] * x + m[1] * y + center[0];
  m[5] = m[3] * x + m[4] * y + center[1];
  return m;
}

/// Pillow's fixed point of 16 bits, without which other pixels are nearest here and there.
at::Tensor nearest_in_fixed_point(const at::Tensor& image, const std::array<double, 6>& m,
                                  const Resampling& resampling) {
  const auto fixed = [](double value) { return std::floor(value * 65536 + 0.5) / 65536; };
  const double x = fixed(m[2] + (m[0] + m[1]) / 2), y = fixed(m[5] + (m[3] + m[4]) / 2);
  const double a = fixed(m[0]), b = fixed(m[1]), c = fixed(m[3]), d = fixed(m[4]);
  return resample(image, resampling, [=](int column, int row) {
    return Point{x + a * column + b * row, y + c * column + d * row};
  });
}

/// Three corners on one line leave nothing to draw the image on.
bool has_corners_in_line(const Corners& corners) {
  for (std::size_t i = 0; i < 4; ++i) {
    const auto &a = corners[i], &b = corners[(i + 1) % 4], &c = corners[(i + 2) % 4];
    if ((b[0] - a[0]) * (c[1] - a[1]) == (b[1] - a[1]) * (c[0] - a[0])) return true;
  }
  return false;
}

/// The eight numbers that map `corners` to those of the image, the ninth being 1. @return false when there are none
bool solve_perspective(const Corners& corners, const Corners& image_corners, cv::Vec<double, 8>& numbers) {
  cv::Matx<double, 8, 8> equations;
  cv::Vec<double, 8> right;
  for (int i = 0; i < 4; ++i) {
    const auto [x, y] = corners[static_cast<std::size_t>(i)];
    const auto target = image_corners[static_cast<std::size_t>(i)];
    for (int axis = 0; axis < 2; ++axis) {
      const int row = 2 * i + axis, first = 3 * axis;
      const double value = target[static_cast<std::size_t>(axis)];
      equations(row, first) = x;
      equations(row, first + 1) = y;
      equations(row, first + 2) = 1;
      equations(row, 6) = -value * x;
      equations(row, 7) = -value * y;
      right[row] = value;
    }
  }
  if (!cv::solve(equations, right, numbers, cv::DECOMP_LU)) return false;
  for (int i = 0; i < 8; ++i) numbers[i] = static_cast<float>(numbers[i]);  // as torchvision
  return true;
}

}  // namespace

at::Tensor rotate(const at::Tensor& image, double degrees, const Resampling& resampling) {
  return affine(image, {.degrees = -degrees}, resampling);
}

at::Tensor affine(const at::Tensor& image, const AffineChange& change, const Resampling& resampling) {
  TORCH_CHECK(change.scale > 0, "affine: expected a scale above 0");
  const at::Tensor whole = contiguous_image(image, "affine");
  const auto half = [&](int side) { return static_cast<double>(image.size(side)) / 2; };
  const auto m = inverse_matrix(change, change.center.value_or(std::array{half(1), half(0)}));
  if (m == std::array<double, 6>{1, 0, 0, 0, 1, 0}) return whole;
  if (resampling.sampling == Sampling::kNearest && (m[1] != 0 || m[3] != 0))
    return nearest_in_fixed_point(whole, m, resampling);
  return resample(whole, resampling, [&m](int column, int row) {
    const double x = column + 0.5, y = row + 0.5;
    return Point{m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]};
  });
}

at::Tensor perspective(const at::Tensor& image, const Corners& corners, const Resampling& resampling) {
  const at::Tensor whole = contiguous_image(image, "perspective");
  const double right = static_cast<double>(image.size(1) - 1), bottom = static_cast<double>(image.size(0) - 1);
  const Corners image_corners{{{0, 0}, {right, 0}, {right, bottom}, {0, bottom}}};
  cv::Vec<double, 8> m;
  if (corners == image_corners || has_corners_in_line(corners) || !solve_perspective(corners, image_corners, m))
    return whole;
  return resample(whole, resampling, [&m](int column, int row) {
    const double x = column + 0.5, y = row + 0.5, depth = m[6] * x + m[7] * y + 1;
    return Point{(m[0] * x + m[1] * y + m[2]) / depth, (m[3] * x + m[4] * y + m[5]) / depth};
  });
}

at::Tensor elastic_transform(const at::Tensor& image, const at::Tensor& displacement, const Resampling& resampling) {
  const at::Tensor whole = contiguous_image(image, "elastic_transform");
  TORCH_CHECK(displacement.scalar_type() == at::kFloat && displacement.dim() == 3 && displacement.size(2) == 2 &&
                  displacement.size(0) == image.size(0) && displacement.size(1) == image.size(1),
              "elastic_transform: expected a displacement float32 [H, W, 2]");
  const at::Tensor steps = displacement.contiguous();
  const auto* step = steps.const_data_ptr<float>();
  return resample(whole, resampling, [step, width = image.size(1)](int column, int row) {
    const float* moved = step + 2 * (row * width + column);
    return Point{column + 0.5 + moved[0], row + 0.5 + moved[1]};
  });
}

at::Tensor pad(const at::Tensor& image, int padding, PaddingMode mode, const Color& fill) {
  TORCH_CHECK(padding >= 0, "pad: expected a padding of 0 or more");
  const at::Tensor whole = contiguous_image(image, "pad");
  if (padding == 0) return whole;
  constexpr int kBorders[] = {cv::BORDER_CONSTANT, cv::BORDER_REPLICATE, cv::BORDER_REFLECT_101, cv::BORDER_REFLECT};
  const at::Tensor padded = at::empty({image.size(0) + 2 * padding, image.size(1) + 2 * padding, 3}, at::kByte);
  cv::Mat out = mat_of(padded);
  cv::copyMakeBorder(mat_of(whole), out, padding, padding, padding, padding, kBorders[static_cast<int>(mode)],
                     cv::Scalar(fill[0], fill[1], fill[2]));
  return padded;
}

}  // namespace graft
