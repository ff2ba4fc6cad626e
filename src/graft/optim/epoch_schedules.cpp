#include <algorithm>
#include <cmath>

#include "graft/optim/schedule_rules.h"

namespace graft {
namespace {

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
  options["step_size"] = reader.integer("step_size", 1, Range::between(1, kMostEpochs));
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

/// The epochs, counted from the end of the warm-up, that begin with a drop.
Json read_milestones(JsonReader& reader) {
  if (!reader.has("milestones")) reader.problem("milestones", "is missing", "the epochs at which the rate drops");
  const JsonForm epochs = JsonForm::list_from(1, JsonForm::integer(Range::between(1, kMostEpochs)));
  const Json found = reader.one_of("milestones", Json::array({1}), {{epochs}});
  if (std::adjacent_find(found.begin(), found.end(), std::greater_equal<>()) != found.end())
    reader.problem("milestones", "is " + found.dump(), "each epoch above the one before");
  return found;
}

Json multi_step_options(JsonReader& reader) {
  Json options;
  options["milestones"] = read_milestones(reader);
  options["gamma"] = reader.number("gamma", 0.1, kFactor);
  read_warmup(reader, options);
  return options;
}

Schedule multi_step(const Json& options, double lr, const Span& span) {
  const double gamma = options.at("gamma").get<double>();
  return [=, milestones = options.at("milestones").get<std::vector<std::int64_t>>(),
          steps_per_epoch = span.steps_per_epoch](std::int64_t step) {
    const auto drops = std::upper_bound(milestones.begin(), milestones.end(), step / steps_per_epoch);
    return StepSettings{lr * std::pow(gamma, static_cast<double>(drops - milestones.begin())), {}};
  };
}

Json exponential_options(JsonReader& reader) {
  Json options;
  if (!reader.has("gamma")) reader.problem("gamma", "is missing", "what each epoch multiplies the rate with");
  options["gamma"] = reader.number("gamma", 1, kFactor);
  read_warmup(reader, options);
  return options;
}

Schedule exponential(const Json& options, double lr, const Span& span) {
  const double gamma = options.at("gamma").get<double>();
  return [=, steps_per_epoch = span.steps_per_epoch](std::int64_t step) {
    return StepSettings{lr * std::pow(gamma, static_cast<double>(step / steps_per_epoch)), {}};
  };
}

}  // namespace

ScheduleRow constant_row() { return {"constant", constant_options, constant}; }
ScheduleRow step_row() { return {"step", step_options, step_down}; }
ScheduleRow multi_step_row() { return {"multi_step", multi_step_options, multi_step}; }
ScheduleRow exponential_row() { return {"exponential", exponential_options, exponential}; }

}  // namespace graft
