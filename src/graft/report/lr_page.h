#pragma once
#include <string>
#include <vector>

namespace graft {

/// What a range test of learning rates has found, one value a step.
struct LrResults {
  std::string phase;                 ///< its name
  std::vector<double> lr, smoothed;  ///< loss without smoothing would hide its fall behind its end
  double valley = 0, steepest = 0;   ///< rates that are suggested
};

/// A page with its curve, the suggestions pointed out.
std::string lr_page(const LrResults& results);

}  // namespace graft
