#pragma once
#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>

namespace graft {

/// How an image is read between its pixels. Neither is antialiased.
enum class Sampling { kNearest, kBilinear };

/// An RGB color in grey levels.
using Color = std::array<std::uint8_t, 3>;

/// How pixels are found in the image that they come from, and what stands where they come from outside of it.
struct Resampling {
  Sampling sampling = Sampling::kNearest;
  Color fill{};
};

/// An affine change: scaled, sheared and turned about the centre, then moved.
struct AffineChange {
  double degrees = 0;                             ///< clockwise
  std::array<double, 2> translate{};              ///< pixels to the right and down
  double scale = 1;                               ///< above 0
  std::array<double, 2> shear{};                  ///< degrees along x and along y
  std::optional<std::array<double, 2>> center{};  ///< x and y in pixels; none: the image's
};

// All of these take an image uint8 [H, W, 3] and return one, contiguous; with the parameters of no change, the image
// itself. They agree with torchvision's functions of these names on Pillow images.

/// Turned counter-clockwise about its centre, [H, W, 3].
at::Tensor rotate(const at::Tensor& image, double degrees, const Resampling& resampling);

at::Tensor affine(const at::Tensor& image, const AffineChange& change, const Resampling& resampling);

/// Corners in the order top left, top right, bottom right, bottom left; each x and y in pixels.
using Corners = std::array<std::array<double, 2>, 4>;

/// The image drawn so that its corner pixels come to lie at `corners`. The image itself where three of them lie
/// on one line, or coincide.
at::Tensor perspective(const at::Tensor& image, const Corners& corners, const Resampling& resampling);

/// Each pixel taken from `displacement` away: float32 [H, W, 2], pixels to the right and down. (torchvision's
/// elastic_transform has it in parts of half the side, and mixes fill into the outermost half pixel, where this does
/// not.)
at::Tensor elastic_transform(const at::Tensor& image, const at::Tensor& displacement, const Resampling& resampling);

/// What stands around an image: a color, its edge pixels, or its mirror image without or with the edge.
enum class PaddingMode { kConstant, kEdge, kReflect, kSymmetric };

/// [H + 2 padding, W + 2 padding, 3]
at::Tensor pad(const at::Tensor& image, int padding, PaddingMode mode, const Color& fill);

}  // namespace graft
