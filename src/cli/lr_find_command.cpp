#include <algorithm>
#include <cmath>

#include "command.h"
#include "console.h"
#include "format.h"
#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/report/lr_page.h"
#include "graft/train/event_text.h"
#include "graft/tune/lr_finder.h"
#include "run_options.h"
#include "signals.h"

namespace graft::cli {
namespace {

struct LrFindOptions {
  RunOptions run;
  LrRange range;
  std::size_t phase = 1;
  std::filesystem::path report;  ///< "" none
};

/// Smoothed losses over the logarithm of the rate; V and S stand under the suggestions.
std::string plot(const std::vector<LrPoint>& points, double valley, double steepest) {
  constexpr std::size_t kWidth = 64, kHeight = 14;
  const auto by_loss = [](const LrPoint& a, const LrPoint& b) { return a.smoothed < b.smoothed; };
  const auto [low, high] = std::minmax_element(points.begin(), points.end(), by_loss);
  const double height = std::max(high->smoothed - low->smoothed, 1e-12);
  const double width = std::log(points.back().lr / points.front().lr);
  const auto column = [&](double lr) {
    return static_cast<std::size_t>(std::lround(std::log(lr / points.front().lr) / width * (kWidth - 1)));
  };
  std::vector<std::string> rows(kHeight + 1, std::string(kWidth, ' '));
  for (const auto& point : points)
    rows[static_cast<std::size_t>(std::lround((high->smoothed - point.smoothed) / height * (kHeight - 1)))]
        [column(point.lr)] = '*';
  rows[kHeight][column(valley)] = 'V';
  rows[kHeight][column(steepest)] = 'S';
  std::string text;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool labelled = i == 0 || i + 1 == kHeight;
    const double loss = i == 0 ? high->smoothed : low->smoothed;
    text += fmt::format("{:>10} |{}\n", labelled ? fmt::format("{:.4f}", loss) : "", rows[i]);
  }
  return text + fmt::format("{:>10}  {:<{}.1e}{:.1e}\n", "lr", points.front().lr, kWidth - 7, points.back().lr);
}

Json curve_json(const LrCurve& curve, double valley, double steepest) {
  Json points = Json::array();
  for (const auto& point : curve.points())
    points.push_back({{"lr", point.lr}, {"loss", point.loss}, {"smoothed", point.smoothed}});
  return {{"diverged", curve.diverged()},
          {"suggestions", {{"valley", valley}, {"steepest", steepest}}},
          {"points", std::move(points)}};
}

void write_page(const std::filesystem::path& file, const std::string& phase, const LrCurve& curve, double valley,
                double steepest) {
  LrResults results{phase, {}, {}, valley, steepest};
  for (const auto& point : curve.points()) {
    results.lr.push_back(point.lr);
    results.smoothed.push_back(point.smoothed);
  }
  replace_file(file, lr_page(results));
}

LrCurve run_range_test(const LrFindOptions& options, const RunSpec& spec, bool json) {
  ProgressLine line;
  LrListener listener;
  listener.skipped_image = [&](const SkippedImage& image) {
    line.clear();
    fmt::print(stderr, "{}\n", text_of(image));
  };
  listener.message = [&](const std::string& text) {
    line.clear();
    fmt::print(json ? stderr : stdout, "{}\n", text);
  };
  listener.frozen_progress = [&](std::size_t done, std::size_t total) { line.show("frozen layers", done, total); };
  listener.teacher_progress = [&](std::size_t done, std::size_t total) { line.show("teacher", done, total); };
  listener.step = [&](std::int64_t step, std::int64_t steps) {
    line.show("step", static_cast<std::size_t>(step), static_cast<std::size_t>(steps));
  };
  return find_lr(spec, options.phase - 1, options.range, listener, interrupted());
}

int run_lr_find(const LrFindOptions& options, bool json) {
  const LrRange& range = options.range;
  if (range.end_lr <= range.start_lr)
    throw Error(
        {"--end-lr", fmt::format("is {}", range.end_lr), fmt::format("above --start-lr, {}", range.start_lr), ""});
  const RunSpec spec = make_spec(options.run, {.trust = options.run.trust});
  const LrCurve curve = run_range_test(options, spec, json);
  if (interrupted().stop_requested()) return kInterruptedStatus;
  const auto valley = curve.valley(range.num_iter), steepest = curve.steepest(range.num_iter);
  if (!valley || !steepest)
    throw Error({"range test", fmt::format("diverged after {} steps", curve.points().size()),
                 "a loss that falls before it diverges", "lower --start-lr, or raise --num-iter"});
  if (!options.report.empty())
    write_page(options.report, spec.recipe.phases[options.phase - 1].name, curve, *valley, *steepest);
  if (json) {
    print_json(curve_json(curve, *valley, *steepest));
    return 0;
  }
  fmt::print("\n{}\n", plot(curve.points(), *valley, *steepest));
  fmt::print("{}", format_table({{"suggestion", "lr", ""},
                                 {"valley", fmt::format("{:.2e}", *valley), "V: two thirds down the longest fall"},
                                 {"steepest", fmt::format("{:.2e}", *steepest), "S: where the loss falls fastest"}}));
  if (!options.report.empty()) fmt::print("report: {}\n", options.report.string());
  return 0;
}

}  // namespace

void add_lr_find(CLI::App& program, Outcome& outcome) {
  auto* command =
      program.add_subcommand("lr-find", "Suggest a learning rate: train while it rises, and watch the loss");
  auto options = std::make_shared<LrFindOptions>();
  add_run_options(*command, options->run).data->required();
  command->add_option("--phase", options->phase, "phase of the recipe that is tested, from 1 (default 1)")
      ->check(CLI::PositiveNumber);
  command->add_option("--start-lr", options->range.start_lr, "first rate (default 1e-7)")->check(CLI::PositiveNumber);
  command->add_option("--end-lr", options->range.end_lr, "rate that is risen to (default 10)")
      ->check(CLI::PositiveNumber);
  command->add_option("--num-iter", options->range.num_iter, "steps at most (default 100)")
      ->check(CLI::Range(10, 100000));
  command->add_option("--report", options->report, "HTML file for a page with the curve and the suggestions");
  command->add_flag("--json", outcome.json, "print the curve and the suggestions as JSON");
  command->footer(
      "ends where the smoothed loss is four times its lowest; writes nothing to disk but --report\n"
      "example: graft lr-find photos --backbone efficientnet_lite0 --preset finetune --phase 2");
  command->callback([options, &outcome] { outcome.exit_code = run_lr_find(*options, outcome.json); });
}

}  // namespace graft::cli
