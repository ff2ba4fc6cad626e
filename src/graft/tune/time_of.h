#pragma once
#include <algorithm>
#include <cstdint>

#include "graft/train/stopwatch.h"

namespace graft {

/// Seconds that `times` calls of `work` would take: the first few are slow and counted as they are, those of the
/// following moment stand for all others.
template <typename Work>
double time_of(double times, const Work& work) {
  constexpr std::int64_t kFirst = 3, kMost = 100;
  constexpr double kMoment = 0.3;
  std::int64_t done = 0;
  const Stopwatch first;
  while (done < kFirst && static_cast<double>(done) < times) work(done++);
  const double first_seconds = first.seconds(), left = times - static_cast<double>(done);
  if (left <= 0) return first_seconds;
  const std::int64_t begin = done;
  const Stopwatch others;
  while (done == begin || (done < kMost && others.seconds() < kMoment)) work(done++);
  return first_seconds + left * others.seconds() / static_cast<double>(done - begin);
}

}  // namespace graft
