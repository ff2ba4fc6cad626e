
#include <algorithm>
#include <optional>

#include "command.h"
#include "console.h"
#include "format.h"
#include "graft/artifact/metadata.h"
#include "graft/core/names.h"
#include "graft/core/runtime.h"
#include "graft/data/audit.h"
#include "graft/train/evaluate.h"
#include "graft/train/recipe.h"
#include "graft/train/run_folder.h"
#include "graft/train/transform_audit.h"
#include "trust_flag.h"

namespace graft::cli {
namespace {

constexpr std::size_t kShownPhotos = 10;

struct AuditFlags {
  std::string data, task = "single_label", model, recipe, preset, sheets;
  Trust trust = Trust::kScan;
};

void print_sides(const char* name, const Json& sides) {
  if (sides.empty()) return;
  fmt::print("{} side  {} to {} px, median {}\n", name, sides["min"].get<int>(), sides["max"].get<int>(),
             sides["median"].get<int>());
}

void print_finding(const Finding& finding) {
  fmt::print("\n{}  {}: {} ({})\n", finding.severity == Severity::kHarm ? "HARM" : "note", finding.check, finding.text,
             finding.hint);
  for (std::size_t i = 0; i < std::min(kShownPhotos, finding.photos.size()); ++i)
    fmt::print("      {}\n", fmt::join(finding.photos[i], "  =  "));
  if (finding.photos.size() > kShownPhotos)
    fmt::print("      and {} more (--json lists all)\n", finding.photos.size() - kShownPhotos);
}

void print_audit(const Audit& audit, const Json& json) {
  std::vector<std::vector<std::string>> rows{{"class", "train", "val", "test"}};
  for (const auto& row : json["classes"])
    rows.push_back({row["class"].get<std::string>(), row["train"].dump(), row["val"].dump(), row["test"].dump()});
  fmt::print("{}\n", format_table(rows));
  print_sides("shorter", json["sizes"]["shorter"]);
  print_sides("longer ", json["sizes"]["longer"]);
  for (const auto& finding : audit.findings) print_finding(finding);
  if (audit.findings.empty()) fmt::print("nothing was found\n");
}

/// The transforms that the recipe of --recipe and --preset plans, else the model's own.
Json planned_augment(const AuditFlags& flags, const ArtifactMetadata& model) {
  const Json::json_pointer place("/data/augment");
  if (flags.recipe.empty() && flags.preset.empty()) return model.recipe.value(place, Json::object());
  Json recipe = preset_recipe(flags.preset.empty() ? "probe" : flags.preset);
  if (!flags.recipe.empty()) lay_over(recipe, read_json_file(flags.recipe));
  return recipe.value(place, Json::object());
}

void make_folder(const std::filesystem::path& path) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  if (failure) throw Error({"folder '" + path.string() + "'", "cannot be made: " + failure.message(), "", ""});
}

/// Adds a finding for each planned transform, and writes the sheets. @returns the JSON of the transforms
Json look_at_transforms(const AuditFlags& flags, const Predictor& predictor, Audit& audit, ProgressLine& line) {
  const auto transforms = planned_transforms(planned_augment(flags, predictor.metadata()), predictor.metadata().input);
  Dataset known = audit.dataset;
  match_classes(known, predictor.classes());
  const auto samples = known.of(Split::kTrain);
  if (samples.empty()) throw Error({"data '" + known.name + "'", "has no train images", "photos to transform", ""});
  const auto audits =
      audit_transforms(predictor, samples, transforms, thread_count(),
                       [&](std::size_t done, std::size_t total) { line.show("transforming", done, total); });
  if (!flags.sheets.empty()) make_folder(flags.sheets);
  Json all = Json::array();
  for (const auto& one : audits) {
    audit.findings.push_back(finding_of(one, samples, predictor.classes()));
    all.push_back(to_json(one, predictor.classes()));
    if (flags.sheets.empty() || one.photos.empty()) continue;
    const auto sheet = std::filesystem::path(flags.sheets) / fmt::format("{}-{}.png", all.size(), one.name());
    write_sheet(one, samples, predictor.metadata().input, sheet);
    all.back()["sheet"] = sheet.string();
  }
  std::ranges::stable_sort(audit.findings, {}, &Finding::severity);
  return all;
}

Predictor load_model(const AuditFlags& flags) {
  const std::filesystem::path path = flags.model;
  auto predictor =
      Predictor::load(std::filesystem::is_directory(path) ? RunFolder(path).model() : path, "cpu", flags.trust);
  if (const Task task = task_of(predictor); !one_class_each(task))
    throw Error({"model '" + flags.model + "'", "is of task " + to_string(task),
                 "a model that gives each photo one class", "which class a photo then looks like is what is measured"});
  return predictor;
}

int run_audit(const AuditFlags& flags, bool json) {
  set_thread_count(0);
  const std::string& data = flags.data;
  std::optional<Predictor> predictor;
  if (!flags.model.empty()) predictor = load_model(flags);
  ProgressLine line;
  const auto progress = [&](std::size_t done, std::size_t total) { line.show("looking", done, total); };
  AuditOptions how{.workers = thread_count(), .labels = {.task = task_named(flags.task)}, .progress = progress};
  if (predictor) how.labels.task = task_of(*predictor);
  if (predictor) how.val = predictor->metadata().recipe.value(Json::json_pointer("/data/val"), how.val);
  Audit audit = audit_data(data, how);
  Json transforms;
  if (predictor) transforms = look_at_transforms(flags, *predictor, audit, line);
  line.clear();
  Json answer{{"data", data}};
  answer.update(to_json(audit));
  if (predictor) answer["transforms"] = std::move(transforms);
  if (json)
    print_json(answer);
  else
    print_audit(audit, answer);
  if (!audit.harmful()) return 0;
  std::vector<std::string> checks;
  for (const auto& finding : audit.findings)
    if (finding.severity == Severity::kHarm && std::ranges::find(checks, finding.check) == checks.end())
      checks.push_back(finding.check);
  fmt::print(stderr, "error: data '{}': would harm training ({}), expected none of this: see what was found\n", data,
             fmt::join(checks, ", "));
  return 1;
}

}  // namespace

void add_audit(CLI::App& program, Outcome& outcome) {
  auto* command =
      program.add_subcommand("audit", "Look for what is wrong with labelled photos before training on them");
  auto flags = std::make_shared<AuditFlags>();
  command->add_option("DATA", flags->data, "as for graft train")->required();
  auto* task =
      command
          ->add_option("--task", flags->task, "how labels are read: " + join(task_names()) + " (default single_label)")
          ->check(CLI::IsMember(task_names()));
  auto* model = command
                    ->add_option("--model", flags->model,
                                 "run or model.pt, trained without augmentation: look what each planned transform "
                                 "makes of the training photos; its task is taken")
                    ->excludes(task);
  command->add_option("--recipe", flags->recipe, "whose transforms are planned (default the model's own)")
      ->needs(model);
  command->add_option("--preset", flags->preset, "likewise, under --recipe: " + join(preset_names()))->needs(model);
  command->add_option("--sheets", flags->sheets, "folder for a PNG a transform of the photos that it confuses most")
      ->needs(model);
  add_trust_flag(*command, flags->trust);
  command->add_flag("--json", outcome.json, "print what was found as JSON");
  command->footer(
      "exit status 1 for what harms training: unreadable, empty_class, two_labels, leaked, parted_group,\n"
      "and with --model a transform that makes one class look like another;\n"
      "0 for notes alone: duplicate, extension, rotated, small, imbalance\n"
      "example: graft audit photos --model runs/probe --preset finetune --sheets sheets");
  command->callback([flags, &outcome] { outcome.exit_code = run_audit(*flags, outcome.json); });
}

}  // namespace graft::cli
