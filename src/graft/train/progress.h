#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "graft/core/json.h"

namespace graft {

/// The better of two values of a metric.
bool is_better(const std::string& metric, double value, double than);

/// What a metric was after each epoch of a phase, by a run's history.
std::vector<double> values_of(const Json& history, const std::string& phase, const std::string& metric);

/// A metric's best value so far and where it was reached.
struct Best {
  bool known = false;
  double value = 0;
  std::size_t phase = 0;
  std::int64_t epoch = 0;
};
Json to_json(const Best& best);

/// Where a run stands: the step that comes next, and what has been measured.
struct Progress {
  std::size_t phase = 0;
  std::int64_t epoch = 0;  ///< within the phase
  std::int64_t step = 0;   ///< within the epoch
  double loss_sum = 0;     ///< over the images of this epoch so far
  std::int64_t loss_images = 0;
  double epoch_seconds = 0;    ///< spent on this epoch so far
  double seconds = 0;          ///< of the run so far, in all the processes that ran it
  double feature_seconds = 0;  ///< of those, for what was computed once below the boundary
  Best best;                   ///< of the run
  Best phase_best;             ///< of the phase
  std::int64_t epochs_without_better = 0;
  Json history = Json::array();     ///< one record an epoch
  Json diagnosis = Json::object();  ///< what Diagnosis has found so far

  bool at_start() const { return phase == 0 && epoch == 0 && step == 0; }
  void start_epoch(std::int64_t next);
  void start_phase(std::size_t next);
};

Json to_json(const Progress& progress);
Progress read_progress(const Json& json);

}  // namespace graft
