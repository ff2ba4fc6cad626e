#pragma once
#include <string>

#include "graft/core/json.h"
#include "graft/optim/schedule.h"

namespace graft {

/// What a schedule has to fill: the steps that follow the warm-up.
struct Span {
  std::int64_t steps;
  std::int64_t steps_per_epoch;
  Measured measured;
};

/// A row of the table of schedules. `make` throws Error when an option does not go with `lr`.
struct ScheduleRow {
  std::string name;
  Json (*read_options)(JsonReader& reader);
  Schedule (*make)(const Json& options, double lr, const Span& span);
};

ScheduleRow constant_row();
ScheduleRow step_row();
ScheduleRow multi_step_row();
ScheduleRow exponential_row();
ScheduleRow polynomial_row();
ScheduleRow cosine_row();
ScheduleRow cosine_warm_restarts_row();
ScheduleRow warmup_stable_decay_row();
ScheduleRow one_cycle_row();
ScheduleRow cyclic_row();
ScheduleRow reduce_on_plateau_row();

/// Options of the warm-up, for the schedules that take one.
void read_warmup(JsonReader& reader, Json& options);

inline constexpr double kMostEpochs = 100000;  // of a phase
inline constexpr Range kFactor{.low = 0, .high = 1, .low_open = true};

using Anneal = double (*)(double start, double end, double progress);
double anneal_cos(double start, double end, double progress);
double anneal_linear(double start, double end, double progress);

}  // namespace graft
