#pragma once
#include <cstdint>
#include <optional>
#include <vector>

namespace graft {

/// The rates of a range test (Smith 2017), in equal factors; defaults are fastai's.
struct LrRange {
  double start_lr = 1e-7;
  double end_lr = 10;
  std::int64_t num_iter = 100;

  /// Of step 0 … num_iter - 1; end_lr would be that of num_iter.
  double at(std::int64_t step) const;
};

struct LrPoint {
  double lr = 0;
  double loss = 0;  ///< of the step's batch
  double smoothed =
      0;  ///< the mean of the losses so far, of which 0.98 stays at each step, without the bias of its start
};

/// What a range test has found, with fastai's suggestions from it.
class LrCurve {
 public:
  /// @returns whether the test goes on: not beyond a smoothed loss of four times the lowest, or one that is no number
  bool add(double lr, double loss);

  const std::vector<LrPoint>& points() const { return points_; }
  bool diverged() const { return diverged_; }

  /// Two thirds down the longest valley: the longest series of points of which each lies below the one before.
  /// Nothing where too few points are left without the first tenth of `num_iter` and the last five.
  std::optional<double> valley(std::int64_t num_iter) const;
  /// Where the smoothed loss falls fastest by the logarithm of the rate; of the same points.
  std::optional<double> steepest(std::int64_t num_iter) const;

 private:
  std::vector<LrPoint> judged(std::int64_t num_iter) const;

  std::vector<LrPoint> points_;
  double mean_ = 0;
  double lowest_ = 0;
  bool diverged_ = false;
};

}  // namespace graft
