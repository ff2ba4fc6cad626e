#pragma once
#include <torch/csrc/jit/api/module.h>

#include <cstdint>

#include "graft/head/head_spec.h"

namespace graft {

/// Mean and covariance of rows that come in parts, in float64 (Chan, Golub and LeVeque 1979).
class RunningMoments {
 public:
  /// Rows [n, D] of any kind and device.
  void add(const at::Tensor& rows);
  std::int64_t count() const { return count_; }
  const at::Tensor& mean() const { return mean_; }  ///< [D]; undefined before the first rows
  at::Tensor covariance() const;                    ///< [D, D], divided by count - 1

 private:
  std::int64_t count_ = 0;
  at::Tensor mean_, products_;  // products_: of the rows' deviations from their mean, summed
};

/// Whether the head begins with {"whiten": …}: no other layer may stand before it.
bool whitens(const HeadSpec& spec);
/// Lets that layer of a built head subtract the mean and turn the covariance into the identity (but for its eps), by
/// whitening_matrix.
void set_whitening(torch::jit::Module& head, const HeadSpec& spec, const RunningMoments& moments);

}  // namespace graft
