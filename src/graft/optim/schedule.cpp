#include "graft/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "graft/core/option_table.h"
#include "graft/optim/schedule_rules.h"

namespace graft {
namespace {

const OptionTable<ScheduleRow>& schedule_table() {
  static const OptionTable<ScheduleRow> kTable(
      {constant_row(), step_row(), multi_step_row(), exponential_row(), polynomial_row(), cosine_row(),
       cosine_warm_restarts_row(), warmup_stable_decay_row(), one_cycle_row(), cyclic_row(), reduce_on_plateau_row()});
  return kTable;
}

std::int64_t warmup_steps(const Json& options, const StepPlan& plan) {
  const double epochs = options.value("warmup_epochs", 0.0);
  if (epochs > static_cast<double>(plan.epochs))
    throw Error({"schedule's warmup_epochs", "is " + options.at("warmup_epochs").dump(),
                 "at most the phase's " + std::to_string(plan.epochs) + " epochs",
                 "warm up for less, or train for longer"});
  return std::llround(epochs * static_cast<double>(plan.steps_per_epoch));
}

}  // namespace

void read_warmup(JsonReader& reader, Json& options) {
  options["warmup_epochs"] = reader.number("warmup_epochs", 0, Range::at_least(0));
  options["warmup_start"] = reader.number("warmup_start", 0.01, kFactor);
}

double anneal_cos(double start, double end, double progress) {
  return end + (start - end) / 2 * (1 + std::cos(std::numbers::pi * progress));
}

double anneal_linear(double start, double end, double progress) { return start + (end - start) * progress; }

bool ScheduleSpec::cycles_momentum() const { return schedule_table().complete(*this).value("cycle_momentum", false); }

const std::vector<std::string>& schedule_names() { return schedule_table().names(); }

ScheduleSpec read_schedule_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  return schedule_table().read<ScheduleSpec>(value, path, problems);
}

Json to_json(const ScheduleSpec& spec) { return Json{{spec.name, schedule_table().complete(spec)}}; }

Schedule make_schedule(const ScheduleSpec& spec, double lr, const StepPlan& plan) {
  TORCH_CHECK(plan.epochs > 0 && plan.steps_per_epoch > 0, "a plan has steps");
  const Json options = schedule_table().complete(spec);
  const std::int64_t warmup = warmup_steps(options, plan);
  const Span span{std::max<std::int64_t>(plan.total() - warmup, 1), plan.steps_per_epoch, plan.measured};
  const double start = options.value("warmup_start", 1.0);
  return
      [=, last = plan.total() - 1, main = schedule_table().at(spec.name).make(options, lr, span)](std::int64_t step) {
        TORCH_CHECK(step >= 0, "steps count from 0");
        step = std::min(step, last);
        if (step >= warmup) return main(step - warmup);
        const double progress = static_cast<double>(step) / static_cast<double>(warmup);
        return StepSettings{lr * anneal_linear(start, 1, progress), {}};
      };
}

}  // namespace graft
