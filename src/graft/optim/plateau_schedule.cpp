#include <algorithm>
#include <limits>

#include "graft/optim/schedule_rules.h"

namespace graft {
namespace {

Json plateau_options(JsonReader& reader) {
  static const std::vector<std::string> kModes{"rel", "abs"};
  Json options;
  options["factor"] = reader.number("factor", 0.1, {.low = 0, .high = 1, .low_open = true, .high_open = true});
  options["patience"] = reader.integer("patience", 10, Range::between(0, kMostEpochs));
  options["threshold"] = reader.number("threshold", 1e-4, Range::at_least(0));
  options["threshold_mode"] = reader.choice("threshold_mode", kModes.front(), kModes);
  options["cooldown"] = reader.integer("cooldown", 0, Range::between(0, kMostEpochs));
  options["min_lr"] = reader.number("min_lr", 0, Range::at_least(0));
  options["eps"] = reader.number("eps", 1e-8, Range::at_least(0));
  return options;
}

/// Whether a value beats the best by the threshold, as torch weighs it.
bool beats(const Json& options, bool more_is_better, double value, double best) {
  const double threshold = options.at("threshold").get<double>();
  const bool relative = options.at("threshold_mode") == "rel";
  if (more_is_better) return value > (relative ? best * (1 + threshold) : best + threshold);
  return value < (relative ? best * (1 - threshold) : best - threshold);
}

/// The rate of each epoch, up to the one after the last that was measured.
std::vector<double> epoch_rates(const Json& options, double lr, const Measured& measured) {
  const double factor = options.at("factor").get<double>(), min_lr = options.at("min_lr").get<double>();
  const double eps = options.at("eps").get<double>();
  const auto patience = options.at("patience").get<std::int64_t>(), pause = options.at("cooldown").get<std::int64_t>();
  std::vector<double> rates{lr};
  double best = 0;
  std::int64_t bad = 0, cooldown = 0;
  for (std::size_t epoch = 0; epoch < measured.values.size(); ++epoch) {
    const double value = measured.values[epoch];
    const bool better = epoch == 0 || beats(options, measured.more_is_better, value, best);
    if (better) best = value;
    bad = better ? 0 : bad + 1;
    if (cooldown > 0) --cooldown, bad = 0;
    if (bad > patience) {
      const double lower = std::max(lr * factor, min_lr);
      if (lr - lower > eps) lr = lower;
      cooldown = pause;
      bad = 0;
    }
    rates.push_back(lr);
  }
  return rates;
}

Schedule reduce_on_plateau(const Json& options, double lr, const Span& span) {
  if (options.at("min_lr").get<double>() > lr)
    throw Error({"schedule's min_lr", "is " + options.at("min_lr").dump(),
                 "at most the optimizer's lr of " + Json(lr).dump(), "it is what the rate falls to"});
  return [rates = epoch_rates(options, lr, span.measured), steps_per_epoch = span.steps_per_epoch](std::int64_t step) {
    const auto epoch = static_cast<std::size_t>(step / steps_per_epoch);
    return StepSettings{rates[std::min(epoch, rates.size() - 1)], {}};
  };
}

}  // namespace

ScheduleRow reduce_on_plateau_row() { return {"reduce_on_plateau", plateau_options, reduce_on_plateau}; }

}  // namespace graft
