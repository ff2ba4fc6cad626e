#include "plan.h"

#include "console.h"
#include "format.h"
#include "graft/train/event_text.h"
#include "graft/tune/run_plan.h"

namespace graft::cli {
namespace {

using Row = std::vector<std::string>;

std::string seconds_text(double seconds) { return fmt::format("{:.1f} s", seconds); }

Row phase_row(const PhaseCost& phase) {
  const auto& train = phase.train;
  const std::string views = train.views > 1 ? fmt::format(" x {} views", train.views) : "";
  return {phase.name,
          phase.boundary,
          fmt::format("{}", phase.epochs),
          fmt::format("{}{} + {}", train.images, views, phase.val.images),
          fmt::format("{}", phase.megabytes()),
          seconds_text(phase.decoding()),
          seconds_text(phase.layers()),
          seconds_text(phase.training_s),
          seconds_text(phase.validation_s),
          seconds_text(phase.total())};
}

Row last_cell(const std::string& name, double seconds) {
  Row row(10);
  row.front() = name;
  row.back() = seconds_text(seconds);
  return row;
}

void print_table(const RunCost& cost) {
  std::vector<Row> rows{
      {"phase", "boundary", "epochs", "photos", "MB", "decoding", "frozen layers", "training", "validation", "total"},
      last_cell("(start)", cost.start_s)};
  for (const auto& phase : cost.phases) rows.push_back(phase_row(phase));
  rows.push_back(last_cell("(export)", cost.export_s));
  rows.push_back(last_cell("(run)", cost.total()));
  fmt::print("{}\n", format_table(rows));
  for (const auto& phase : cost.phases)
    fmt::print("phase '{}': {}\n", phase.name,
               phase.kept_at.empty() ? "of training photos nothing is kept, frozen layers run anew every epoch"
                                     : caching_text(phase));
}

}  // namespace

void print_plan(const RunOptions& options, bool json) {
  PlanListener listener;
  listener.message = [&](const std::string& text) { fmt::print(json ? stderr : stdout, "{}\n", text); };
  listener.skipped_image = [](const SkippedImage& image) { fmt::print(stderr, "{}\n", text_of(image)); };
  const RunSpec spec = make_spec(options, environment_of(options));
  print_input(json ? stderr : stdout, spec);
  if (!spec.preset_reason.empty()) listener.message("preset " + spec.recipe.preset + ": " + spec.preset_reason);
  const RunCost cost = plan_run(spec, listener);
  if (json) return print_json(to_json(cost));
  print_table(cost);
}

}  // namespace graft::cli
