#include "graft/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "graft/core/option_table.h"

namespace graft {
namespace {

const Range kFactor{.low = 0, .high = 1, .low_open = true};
const Range kBelowOne{.low = 0, .high = 1, .high_open = true};
const std::vector<std::string> kAnneals{"cos", "linear"};

using Anneal = double (*)(double start, double end, double progress);

double anneal_cos(double start, double end, double progress) {
  return end + (start - end) / 2 * (1 + std::cos(std::numbers::pi * progress));
}

double anneal_linear(double start, double end, double progress) { return start + (end - start) * progress; }

/// What a schedule has to fill: the steps that follow the warm-up.
struct Span {
  std::int64_t steps;
  std::int64_t steps_per_epoch;
};

void read_warmup(JsonReader& reader, Json& options) {
  options["warmup_epochs"] = reader.number("warmup_epochs", 0, Range::at_least(0));
  options["warmup_start"] = reader.number("warmup_start", 0.01, kFactor);
}

Json constant_options(JsonReader& reader) {
  Json options;
  read_warmup(reader, options);
  return options;
}

Schedule constant(const Json&, double lr, const Span&) {
  return [lr](std::int64_t) { return StepSettings{lr, {}}; };
}

Json step_options(JsonReader& reader) {
  Json options;
  if (!reader.has("step_size")) reader.problem("step_size", "is missing", "the epochs between two drops");
  options["step_size"] = reader.integer("step_size", 1, Range::at_least(1));
  options["gamma"] = reader.number("gamma", 0.1, kFactor);
  read_warmup(reader, options);
  return options;
}

Schedule step_down(const Json& options, double lr, const Span& span) {
  const double gamma = options.at("gamma").get<double>();
  const auto epochs = options.at("step_size").get<std::int64_t>();
  return [=, steps_per_epoch = span.steps_per_epoch](std::int64_t step) {
    const std::int64_t drops = step / steps_per_epoch / epochs;
    return StepSettings{lr * std::pow(gamma, static_cast<double>(drops)), {}};
  };
}

Json cosine_options(JsonReader& reader) {
  Json options;
  options["eta_min"] = reader.number("eta_min", 0, Range::at_least(0));
  read_warmup(reader, options);
  return options;
}

Schedule cosine(const Json& options, double lr, const Span& span) {
  const double eta_min = options.at("eta_min").get<double>();
  return [=, steps = static_cast<double>(span.steps)](std::int64_t step) {
    return StepSettings{anneal_cos(lr, eta_min, static_cast<double>(step) / steps), {}};
  };
}

Json one_cycle_options(JsonReader& reader) {
  Json options;
  options["pct_start"] = reader.number("pct_start", 0.3, Range::between(0, 1));
  options["div_factor"] = reader.number("div_factor", 25, Range::above(0));
  options["final_div_factor"] = reader.number("final_div_factor", 1e4, Range::above(0));
  options["anneal"] = reader.choice("anneal", "cos", kAnneals);
  options["cycle_momentum"] = reader.boolean("cycle_momentum", true);
  options["base_momentum"] = reader.number("base_momentum", 0.85, kBelowOne);
  options["max_momentum"] = reader.number("max_momentum", 0.95, kBelowOne);
  options["three_phase"] = reader.boolean("three_phase", false);
  if (options["three_phase"].get<bool>() && options["pct_start"].get<double>() > 0.5)
    reader.problem("pct_start", "is " + options["pct_start"].dump(), "at most 0.5 with three_phase",
                   "the way up and the way down are equally long");
  return options;
}

struct CyclePhase {
  double end_step;
  double start_lr, end_lr;
  double start_momentum, end_momentum;
};

std::vector<CyclePhase> cycle_phases(const Json& options, double lr, double steps) {
  const double first_lr = lr / options.at("div_factor").get<double>();
  const double last_lr = first_lr / options.at("final_div_factor").get<double>();
  const double low = options.at("base_momentum").get<double>();
  const double high = options.at("max_momentum").get<double>();
  const double rise = options.at("pct_start").get<double>() * steps;
  if (options.at("three_phase").get<bool>())
    return {{rise - 1, first_lr, lr, high, low},
            {2 * rise - 2, lr, first_lr, low, high},
            {steps - 1, first_lr, last_lr, high, high}};
  return {{rise - 1, first_lr, lr, high, low}, {steps - 1, lr, last_lr, low, high}};
}

Schedule one_cycle(const Json& options, double lr, const Span& span) {
  const Anneal anneal = options.at("anneal") == "cos" ? anneal_cos : anneal_linear;
  const bool cycle_momentum = options.at("cycle_momentum").get<bool>();
  return [=, phases = cycle_phases(options, lr, static_cast<double>(span.steps))](std::int64_t step) {
    const auto now = static_cast<double>(step);
    double start_step = 0;
    auto phase = phases.begin();
    for (; std::next(phase) != phases.end() && now > phase->end_step; ++phase) start_step = phase->end_step;
    // A phase of no length, where PyTorch divides by zero, is over at once.
    const double length = phase->end_step - start_step;
    const double progress = length > 0 ? (now - start_step) / length : 1;
    StepSettings settings{anneal(phase->start_lr, phase->end_lr, progress), {}};
    if (cycle_momentum) settings.momentum = anneal(phase->start_momentum, phase->end_momentum, progress);
    return settings;
  };
}

struct Row {
  std::string name;
  Json (*read_options)(JsonReader& reader);
  Schedule (*make)(const Json& options, double lr, const Span& span);
};

const OptionTable<Row>& table() {
  static const OptionTable<Row> kTable({{"constant", constant_options, constant},
                                        {"step", step_options, step_down},
                                        {"cosine", cosine_options, cosine},
                                        {"one_cycle", one_cycle_options, one_cycle}});
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

ScheduleSpec read_schedule_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  return table().read<ScheduleSpec>(value, path, problems);
}

Json to_json(const ScheduleSpec& spec) { return Json{{spec.name, table().complete(spec)}}; }

Schedule make_schedule(const ScheduleSpec& spec, double lr, const StepPlan& plan) {
  TORCH_CHECK(plan.epochs > 0 && plan.steps_per_epoch > 0, "a plan has steps");
  const Json options = table().complete(spec);
  const std::int64_t warmup = warmup_steps(options, plan);
  const Span span{std::max<std::int64_t>(plan.total() - warmup, 1), plan.steps_per_epoch};
  const double start = options.value("warmup_start", 1.0);
  return [=, last = plan.total() - 1, main = table().at(spec.name).make(options, lr, span)](std::int64_t step) {
    TORCH_CHECK(step >= 0, "steps count from 0");
    step = std::min(step, last);
    if (step >= warmup) return main(step - warmup);
    const double progress = static_cast<double>(step) / static_cast<double>(warmup);
    return StepSettings{lr * anneal_linear(start, 1, progress), {}};
  };
}

}  // namespace graft
