#pragma once
#include <ATen/core/Tensor.h>

#include <limits>
#include <optional>

/// What a BatchNorm, the sum and the activation behind it compute, forward and backward, a pass over the maps each.
/// Maps are [N, C, H, W] in channels_last, float32 or bfloat16; what there is of each channel is float32 [C].
namespace graft::kernels {

/// Whether maps are what is computed here: on the CPU, of such a type, and in channels_last alone; maps of one pixel
/// or one channel are in every layout, and LibTorch's.
bool suit(const at::Tensor& maps);

struct Moments {
  at::Tensor mean, variance;  ///< the variance is the biased one
};
Moments moments(const at::Tensor& maps);

/// y = x * scale + shift, nowhere below `low` or above `high`. NaN stays NaN.
struct LimitedLine {
  at::Tensor scale, shift;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
};
/// @param added  to the line before it is limited, laid out as the maps are
at::Tensor apply(const LimitedLine& line, const at::Tensor& maps, const std::optional<at::Tensor>& added);

/// Sums over a channel of the gradient that passes the limits, and of its products with x - mean.
struct GradientSums {
  at::Tensor gradient, product;
};
/// @param gradient  of apply(line, maps), laid out as the maps are
GradientSums gradient_sums(const LimitedLine& line, const at::Tensor& maps, const at::Tensor& gradient,
                           const at::Tensor& mean);

/// The same where something was added: what passes is told by `result`, and written to `passed`.
GradientSums gradient_sums_of_sum(const LimitedLine& line, const at::Tensor& maps, const at::Tensor& result,
                                  const at::Tensor& gradient, const at::Tensor& mean, const at::Tensor& passed);

/// The gradient that passes the limits, times `line.scale`, + x * slope + offset.
at::Tensor input_gradient(const LimitedLine& line, const at::Tensor& maps, const at::Tensor& gradient,
                          const at::Tensor& slope, const at::Tensor& offset);

}  // namespace graft::kernels
