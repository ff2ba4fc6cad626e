
#include "command.h"
#include "console.h"
#include "format.h"
#include "graft/artifact/artifact.h"
#include "graft/core/names.h"
#include "graft/core/runtime.h"
#include "graft/train/evaluate.h"
#include "graft/train/event_text.h"
#include "graft/train/fast_predictor.h"
#include "trust_flag.h"
#include "views_flag.h"

namespace graft::cli {
namespace {

struct EvaluateOptions {
  std::string model, data, split, device = "cpu", views = "none";
  Trust trust = Trust::kScan;
};

/// The split asked for; by default the validation photos.
Samples choose_split(const Dataset& dataset, const std::string& name) {
  const Split split = name.empty() ? Split::kVal : parse_split(name).value();
  auto samples = dataset.of(split);
  if (samples.empty())
    throw Error({"data '" + dataset.name + "'", "has no " + to_string(split) + " images", "a split that it has",
                 "--split train, val or test"});
  return samples;
}

std::string percent(double part) { return fmt::format("{:.2f} %", 100 * part); }

std::string text_of(const Figures& figures) {
  std::vector<std::string> words;
  for (const auto& [name, value] : figures) words.push_back(figure_text(name, value));
  return join(words);
}

std::string class_table(const Metrics& metrics) {
  std::vector<std::vector<std::string>> rows{{"class", "images", "precision", "recall", "F1"}};
  for (const auto& row : metrics.per_class)
    rows.push_back({row.name, std::to_string(row.support), percent(row.precision), percent(row.recall),
                    fmt::format("{:.3f}", row.f1)});
  return format_table(rows);
}

std::string confusion_table(const Metrics& metrics) {
  std::vector<std::vector<std::string>> rows{{"true \\ predicted"}};
  for (const auto& row : metrics.per_class) rows[0].push_back(row.name);
  for (std::size_t i = 0; i < metrics.confusion.size(); ++i) {
    rows.push_back({metrics.per_class[i].name});
    for (const auto count : metrics.confusion[i]) rows.back().push_back(std::to_string(count));
  }
  return format_table(rows);
}

void print_metrics(const Metrics& metrics) {
  fmt::print("{} images: {}\n", metrics.images, text_of(metrics.figures));
  if (!metrics.per_class.empty()) fmt::print("\n{}", class_table(metrics));
  if (!metrics.confusion.empty()) fmt::print("\n{}", confusion_table(metrics));
}

void run_evaluate(const EvaluateOptions& options, bool json) {
  set_thread_count(0);
  const Predictor predictor = Predictor::load(options.model, options.device, options.trust).averaging(options.views);
  const Json& recipe = predictor.metadata().recipe;
  const double val = recipe.value(Json::json_pointer("/data/val"), DatasetOptions{}.val);
  const Task task = task_of(predictor);  // classes in any order: they are matched by name
  const auto name_skipped = [](const SkippedImage& image) { fmt::print(stderr, "{}\n", text_of(image)); };
  Dataset dataset = load_dataset(
      options.data, {.val = val, .workers = thread_count(), .on_skipped = name_skipped, .labels = {.task = task}});
  match_classes(dataset, predictor.classes());
  const auto samples = choose_split(dataset, options.split);
  const Predictor fast = fast_predictor(predictor, options.model, options.trust, paths_of(samples), print_note);
  ProgressLine progress;
  const auto metrics = evaluate(fast, samples, thread_count(),
                                [&](std::size_t done) { progress.show("evaluating", done, samples.size()); });
  progress.clear();
  if (json)
    print_json(to_json(metrics));
  else
    print_metrics(metrics);
}

}  // namespace

void add_evaluate(CLI::App& program, Outcome& outcome) {
  auto* command = program.add_subcommand("evaluate", "Measure an exported model on labelled photos");
  auto options = std::make_shared<EvaluateOptions>();
  command->add_option("MODEL", options->model, "model.pt of graft train")->required();
  command->add_option("DATA", options->data, "as for graft train")->required();
  command->add_option("--split", options->split, "train, val (default) or test")
      ->check(CLI::IsMember({"train", "val", "test"}));
  command->add_option("--device", options->device, "auto, cpu, cuda or cuda:N");
  add_views_flag(*command, options->views);
  add_trust_flag(*command, options->trust);
  command->add_flag("--json", outcome.json, "print the figures as JSON");
  command->footer("example: graft evaluate runs/mine/model.pt photos --split val");
  command->callback([options, &outcome] { run_evaluate(*options, outcome.json); });
}

}  // namespace graft::cli
