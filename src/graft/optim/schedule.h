#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "graft/core/json.h"
#include "graft/optim/optimizer.h"

namespace graft {

/// The recipe's "schedule": one name of the table with its options: constant {}, step {step_size (epochs), gamma 0.1},
/// cosine {eta_min 0}, one_cycle {pct_start 0.3, div_factor 25, final_div_factor 1e4, anneal "cos"|"linear",
/// cycle_momentum true, base_momentum 0.85, max_momentum 0.95, three_phase false}; all of them but one_cycle take
/// warmup_epochs (may be fractional, 0) and warmup_start (a factor of lr, 0.01): linear warm-up in front. Formulas and
/// defaults are torch.optim.lr_scheduler's (StepLR, CosineAnnealingLR, OneCycleLR, LinearLR).
struct ScheduleSpec {
  std::string name = "constant";
  Json options = Json::object();  ///< as read: every option; by hand: some may be left out
};
ScheduleSpec read_schedule_spec(const Json& value, const std::string& path, std::vector<Problem>& problems);
Json to_json(const ScheduleSpec& spec);

/// The steps that a phase consists of.
struct StepPlan {
  std::int64_t epochs = 1;
  std::int64_t steps_per_epoch = 1;
  std::int64_t total() const { return epochs * steps_per_epoch; }
};

/// step (from 0, within the phase) -> learning rate and momentum of that step. A pure function: resuming needs no
/// state. step changes per epoch, cosine and one_cycle per step. With a warm-up in front, step and cosine count from
/// its end, as torch's SequentialLR does. Steps beyond the plan's last have the settings of the last.
using Schedule = std::function<StepSettings(std::int64_t step)>;

/// @throws Error when the warm-up is longer than the plan.
Schedule make_schedule(const ScheduleSpec& spec, double lr, const StepPlan& plan);

}  // namespace graft
