#include "graft/tune/lr_curve.h"

#include <algorithm>
#include <cmath>

namespace graft {

double LrRange::at(std::int64_t step) const {
  return start_lr * std::pow(end_lr / start_lr, static_cast<double>(step) / static_cast<double>(num_iter));
}

bool LrCurve::add(double lr, double loss) {
  constexpr double kStays = 0.98, kMost = 4;
  mean_ = kStays * mean_ + (1 - kStays) * loss;
  const double smoothed = mean_ / (1 - std::pow(kStays, static_cast<double>(points_.size() + 1)));
  diverged_ = !std::isfinite(smoothed);
  if (diverged_) return false;
  points_.push_back({lr, loss, smoothed});
  lowest_ = points_.size() == 1 ? smoothed : std::min(lowest_, smoothed);
  diverged_ = smoothed > kMost * lowest_;
  return !diverged_;
}

std::optional<double> LrCurve::valley(std::int64_t num_iter) const {
  const auto points = judged(num_iter);
  if (points.empty()) return std::nullopt;
  // Of each point, how long the longest series is that ends there.
  std::vector<std::int64_t> length(points.size(), 1);
  for (std::size_t i = 0; i < points.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (points[i].smoothed < points[j].smoothed) length[i] = std::max(length[i], length[j] + 1);
  const std::int64_t end = std::max_element(length.begin(), length.end()) - length.begin();
  // fastai takes the series for one without gaps, and its third for the middle of the slope.
  const std::int64_t begin = end - length[static_cast<std::size_t>(end)];
  const double third = static_cast<double>(end - begin) / 3;
  const std::int64_t place = begin + static_cast<std::int64_t>(third) + static_cast<std::int64_t>(third / 2);
  return points[static_cast<std::size_t>(std::max<std::int64_t>(place, 0))].lr;
}

std::optional<double> LrCurve::steepest(std::int64_t num_iter) const {
  const auto points = judged(num_iter);
  if (points.size() < 2) return std::nullopt;
  const auto slope = [&](std::size_t i) {
    return (points[i + 1].smoothed - points[i].smoothed) / std::log(points[i + 1].lr / points[i].lr);
  };
  std::size_t best = 0;
  for (std::size_t i = 1; i + 1 < points.size(); ++i)
    if (slope(i) < slope(best)) best = i;
  return points[best].lr;
}

std::vector<LrPoint> LrCurve::judged(std::int64_t num_iter) const {
  constexpr std::int64_t kLast = 5;
  const auto count = static_cast<std::int64_t>(points_.size());
  if (num_iter / 10 >= count - kLast) return {};
  return {points_.begin() + num_iter / 10, points_.end() - kLast};
}

}  // namespace graft
