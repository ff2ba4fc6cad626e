#include <algorithm>
#include <cmath>

#include "graft/optim/schedule_rules.h"

namespace graft {
namespace {

const std::vector<std::string> kDecays{"sqrt", "linear", "cosine"};

void read_floor(JsonReader& reader, Json& options) {
  options["eta_min"] = reader.number("eta_min", 0, Range::at_least(0));
}

Json polynomial_options(JsonReader& reader) {
  Json options;
  options["power"] = reader.number("power", 1, Range::above(0));
  read_warmup(reader, options);
  return options;
}

Schedule polynomial(const Json& options, double lr, const Span& span) {
  const double power = options.at("power").get<double>();
  return [=, steps = static_cast<double>(span.steps)](std::int64_t step) {
    return StepSettings{lr * std::pow(1 - static_cast<double>(step) / steps, power), {}};
  };
}

Json cosine_options(JsonReader& reader) {
  Json options;
  read_floor(reader, options);
  read_warmup(reader, options);
  return options;
}

Schedule cosine(const Json& options, double lr, const Span& span) {
  const double eta_min = options.at("eta_min").get<double>();
  return [=, steps = static_cast<double>(span.steps)](std::int64_t step) {
    return StepSettings{anneal_cos(lr, eta_min, static_cast<double>(step) / steps), {}};
  };
}

Json cosine_warm_restarts_options(JsonReader& reader) {
  Json options;
  if (!reader.has("T_0")) reader.problem("T_0", "is missing", "the epochs before the first restart");
  options["T_0"] = reader.integer("T_0", 1, Range::between(1, kMostEpochs));
  options["T_mult"] = reader.integer("T_mult", 1, Range::between(1, 1000));
  read_floor(reader, options);
  read_warmup(reader, options);
  return options;
}

Schedule cosine_warm_restarts(const Json& options, double lr, const Span& span) {
  const double eta_min = options.at("eta_min").get<double>();
  const std::int64_t first = options.at("T_0").get<std::int64_t>() * span.steps_per_epoch;
  const auto growth = options.at("T_mult").get<std::int64_t>();
  return [=](std::int64_t step) {
    std::int64_t length = first;
    if (growth > 1)
      for (; step >= length; length *= growth) step -= length;
    return StepSettings{anneal_cos(lr, eta_min, static_cast<double>(step % length) / static_cast<double>(length)), {}};
  };
}

Json warmup_stable_decay_options(JsonReader& reader) {
  Json options;
  options["decay_fraction"] = reader.number("decay_fraction", 0.2, kFactor);
  options["decay"] = reader.choice("decay", "sqrt", kDecays);
  read_floor(reader, options);
  read_warmup(reader, options);
  return options;
}

double anneal_sqrt(double start, double end, double progress) { return anneal_linear(start, end, std::sqrt(progress)); }

Anneal decay_named(const std::string& name) {
  if (name == "sqrt") return anneal_sqrt;
  return name == "linear" ? anneal_linear : anneal_cos;
}

Schedule warmup_stable_decay(const Json& options, double lr, const Span& span) {
  const double eta_min = options.at("eta_min").get<double>();
  const Anneal decay = decay_named(options.at("decay").get<std::string>());
  const double fraction = options.at("decay_fraction").get<double>();
  const std::int64_t decaying = std::max<std::int64_t>(std::llround(fraction * static_cast<double>(span.steps)), 1);
  return [=, stable = span.steps - decaying](std::int64_t step) {
    if (step < stable) return StepSettings{lr, {}};
    return StepSettings{decay(lr, eta_min, static_cast<double>(step - stable) / static_cast<double>(decaying)), {}};
  };
}

}  // namespace

ScheduleRow polynomial_row() { return {"polynomial", polynomial_options, polynomial}; }
ScheduleRow cosine_row() { return {"cosine", cosine_options, cosine}; }
ScheduleRow cosine_warm_restarts_row() {
  return {"cosine_warm_restarts", cosine_warm_restarts_options, cosine_warm_restarts};
}
ScheduleRow warmup_stable_decay_row() {
  return {"warmup_stable_decay", warmup_stable_decay_options, warmup_stable_decay};
}

}  // namespace graft
