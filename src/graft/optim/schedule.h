#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "graft/core/json.h"
#include "graft/optim/optimizer.h"

namespace graft {

/// The recipe's "schedule": one name of the table with its options, {"step": {"step_size": 3}}. Formulas, names and
/// defaults are torch.optim.lr_scheduler's, durations are epochs; docs/recipe.md lists them with their sources. All but
/// one_cycle, cyclic and reduce_on_plateau take warmup_epochs (may be fractional, 0) and warmup_start (a factor of lr,
/// 0.01): a linear warm-up in front.
struct ScheduleSpec {
  std::string name = "constant";
  Json options = Json::object();  ///< as read: every option; by hand: some may be left out
  bool cycles_momentum() const;
};
/// In the table's order.
const std::vector<std::string>& schedule_names();
ScheduleSpec read_schedule_spec(const Json& value, const std::string& path, std::vector<Problem>& problems);
Json to_json(const ScheduleSpec& spec);

/// What validation has found after each epoch of a phase so far.
struct Measured {
  std::vector<double> values{};
  bool more_is_better = true;
};

/// The steps that a phase consists of, and what reduce_on_plateau goes by.
struct StepPlan {
  std::int64_t epochs = 1;
  std::int64_t steps_per_epoch = 1;
  Measured measured{};
  std::int64_t total() const { return epochs * steps_per_epoch; }
};

/// step (from 0, within the phase) -> learning rate and momentum of that step. A pure function: resuming needs no
/// state. reduce_on_plateau knows the steps up to the end of the epoch after the last that was measured. With a warm-up
/// in front, the schedule counts from its end, as torch's SequentialLR does. Steps beyond the plan's last have the
/// settings of the last.
using Schedule = std::function<StepSettings(std::int64_t step)>;

/// @throws Error when the warm-up is longer than the plan, or an option does not go with `lr`.
Schedule make_schedule(const ScheduleSpec& spec, double lr, const StepPlan& plan);

}  // namespace graft
