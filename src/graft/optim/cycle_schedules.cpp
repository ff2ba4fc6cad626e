#include <algorithm>
#include <cmath>

#include "graft/core/error.h"
#include "graft/optim/schedule_rules.h"

namespace graft {
namespace {

const std::vector<std::string> kAnneals{"cos", "linear"};
const std::vector<std::string> kCyclicModes{"triangular", "triangular2", "exp_range"};

struct Momentum {
  double base;
  double max;
};

void read_momentum(JsonReader& reader, Json& options, const Momentum& defaults) {
  const Range range{.low = 0, .high = 1, .high_open = true};
  options["cycle_momentum"] = reader.boolean("cycle_momentum", true);
  options["base_momentum"] = reader.number("base_momentum", defaults.base, range);
  options["max_momentum"] = reader.number("max_momentum", defaults.max, range);
}

Json one_cycle_options(JsonReader& reader) {
  Json options;
  options["pct_start"] = reader.number("pct_start", 0.3, Range::between(0, 1));
  options["div_factor"] = reader.number("div_factor", 25, Range::above(0));
  options["final_div_factor"] = reader.number("final_div_factor", 1e4, Range::above(0));
  options["anneal"] = reader.choice("anneal", "cos", kAnneals);
  read_momentum(reader, options, {.base = 0.85, .max = 0.95});
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

Json cyclic_options(JsonReader& reader) {
  const Range range{.low = 0, .high = kMostEpochs, .low_open = true};
  Json options;
  if (!reader.has("base_lr")) reader.problem("base_lr", "is missing", "the rate between two cycles");
  if (!reader.has("step_size_up")) reader.problem("step_size_up", "is missing", "the epochs of a rise");
  options["base_lr"] = reader.number("base_lr", 0, Range::at_least(0));
  options["step_size_up"] = reader.number("step_size_up", 1, range);
  options["step_size_down"] = reader.number("step_size_down", options["step_size_up"].get<double>(), range);
  options["mode"] = reader.choice("mode", "triangular", kCyclicModes);
  options["gamma"] = reader.number("gamma", 1, kFactor);
  if (options["gamma"] != 1.0 && options["mode"] != "exp_range")
    reader.problem("gamma", "is " + options["gamma"].dump(), "the mode exp_range beside it",
                   "triangular2 halves, triangular repeats");
  read_momentum(reader, options, {.base = 0.8, .max = 0.9});
  return options;
}

/// How high the top of the cycle is at a step, as a part of the first.
double cycle_height(const std::string& mode, double gamma, double cycle, double step) {
  if (mode == "triangular2") return std::pow(2, -cycle);
  return mode == "exp_range" ? std::pow(gamma, step) : 1;
}

double steps_of(const Json& epochs, const Span& span) {
  return std::max(std::round(epochs.get<double>() * static_cast<double>(span.steps_per_epoch)), 1.0);
}

Schedule cyclic(const Json& options, double lr, const Span& span) {
  const double base_lr = options.at("base_lr").get<double>();
  if (base_lr > lr)
    throw Error({"schedule's base_lr", "is " + options.at("base_lr").dump(),
                 "at most the optimizer's lr of " + Json(lr).dump(), "the rate cycles between the two"});
  const double up = steps_of(options.at("step_size_up"), span), down = steps_of(options.at("step_size_down"), span);
  const auto mode = options.at("mode").get<std::string>();
  const double gamma = options.at("gamma").get<double>();
  const double low = options.at("base_momentum").get<double>(), high = options.at("max_momentum").get<double>();
  const bool cycle_momentum = options.at("cycle_momentum").get<bool>();
  return [=](std::int64_t step) {
    const auto now = static_cast<double>(step);
    const double cycle = std::floor(now / (up + down)), within = now - cycle * (up + down);
    const double way = within <= up ? within / up : (up + down - within) / down;
    const double height = way * cycle_height(mode, gamma, cycle, now);
    StepSettings settings{anneal_linear(base_lr, lr, height), {}};
    if (cycle_momentum) settings.momentum = anneal_linear(high, low, height);
    return settings;
  };
}

}  // namespace

ScheduleRow one_cycle_row() { return {"one_cycle", one_cycle_options, one_cycle}; }
ScheduleRow cyclic_row() { return {"cyclic", cyclic_options, cyclic}; }

}  // namespace graft
