
#include "command.h"
#include "console.h"
#include "engine_probe.h"
#include "features_flags.h"
#include "format.h"
#include "graft/backbone/backbone.h"
#include "graft/core/files.h"
#include "graft/core/hash.h"
#include "graft/core/names.h"
#include "graft/report/report.h"
#include "graft/train/preset_choice.h"
#include "graft/train/run_folder.h"
#include "graft/train/trainer.h"
#include "home.h"
#include "signals.h"
#include "train_console.h"
#include "trust_flag.h"

namespace graft::cli {
namespace {

namespace fs = std::filesystem;

struct TrainOptions {
  std::string data, backbone, preset, recipe, out, device, resume;
  std::vector<std::string> set;
  std::int64_t seed = -1;
  int threads = -1;
  FeaturesFlags features;
  bool quiet = false;
  Trust trust = Trust::kScan;
};

RunEnvironment environment_of(const TrainOptions& options) {
  return {options.trust, ChildEngineProbe::of_this_program(), activation_stores(), image_indexes()};
}

/// What a recipe is made of, each laid over what came before: preset, card, own file, --set, flags.
struct RecipeParts {
  Json own;
  fs::path base;  ///< of paths in it
  std::string preset;
  ChosenBackbone backbone;
  std::optional<InputSpec> known_input;
};

RecipeParts read_parts(const TrainOptions& options) {
  RecipeParts parts;
  parts.own = options.recipe.empty() ? Json::object() : read_json_file(options.recipe);
  parts.base = options.recipe.empty() ? fs::path() : fs::path(options.recipe).parent_path();
  Json over = parts.own;
  for (const auto& assignment : options.set) set_key(over, assignment);
  parts.preset = preset_under(over, options.preset);
  // The backbone decides the input's defaults, so it is looked up first.
  std::string name = options.backbone;
  if (name.empty() && over.contains("backbone") && over["backbone"].is_object()) {
    const std::string file = over["backbone"].value("file", "");
    name = file.empty() || fs::path(file).is_absolute() ? file : (parts.base / file).string();
  }
  if (name.empty())
    throw Error({"backbone", "none is named", "--backbone NAME or FILE", "graft models lists the names"});
  parts.backbone = choose_backbone(name);
  parts.known_input = known_input(parts.backbone, options.trust);
  if (!parts.own.is_object())
    throw Error({"recipe '" + options.recipe + "'", "is no JSON object", "a recipe", "graft recipe prints one"});
  return parts;
}

RunSpec spec_over(const std::string& preset, const TrainOptions& options, const RecipeParts& parts) {
  Json recipe = preset_recipe(preset);
  if (parts.known_input) recipe["input"] = to_json(*parts.known_input);
  lay_over(recipe, parts.own);
  for (const auto& assignment : options.set) set_key(recipe, assignment);
  recipe["preset"] = preset;
  if (!options.backbone.empty() || !recipe["backbone"].contains("sha256") || recipe["backbone"]["sha256"] == "")
    recipe["backbone"]["sha256"] = sha256_file(parts.backbone.file);
  recipe["backbone"]["file"] = fs::absolute(parts.backbone.file).string();
  if (!options.features.path.empty()) recipe["backbone"]["features"] = options.features.path;
  if (!options.features.classifier.empty()) recipe["backbone"]["classifier"] = options.features.classifier;
  if (!options.device.empty()) recipe["device"] = options.device;
  if (options.seed >= 0) recipe["seed"] = options.seed;
  if (options.threads >= 0) recipe["threads"] = options.threads;
  RunSpec spec;
  spec.recipe = read_recipe(recipe, parts.base);
  spec.data = options.data;
  spec.environment = environment_of(options);
  if (const auto& card = parts.backbone.card) spec.backbone_facts = {{"name", card->name}, {"license", card->license}};
  return spec;
}

RunSpec make_spec(const TrainOptions& options) {
  const RecipeParts parts = read_parts(options);
  if (parts.preset != "auto") return spec_over(parts.preset, options, parts);
  const PresetChoice choice = choose_preset(spec_over("probe", options, parts));
  RunSpec spec = spec_over(choice.name, options, parts);
  spec.preset_reason = choice.reason;
  return spec;
}

std::string default_folder(const fs::path& data) {
  const fs::path absolute = fs::weakly_canonical(data);
  return RunFolder::next((fs::is_directory(absolute) ? absolute : absolute.parent_path()).filename().string()).string();
}

void print_result(const RunResult& result, const fs::path& folder, const fs::path& report, std::FILE* out) {
  Json by_split = result.metrics["best"];
  for (const char* place : {"phase", "epoch"}) by_split.erase(place);
  print_figures(out, by_split);
  const std::string model = (folder / "model.pt").string();
  fmt::print(out, "model: {}\nreport: {}\ntry: graft predict {} PHOTO\n", model, report.string(), model);
}

int run_training(const TrainOptions& options, bool json) {
  std::FILE* out = json ? stderr : stdout;
  const bool resuming = !options.resume.empty();
  RunSpec spec;
  fs::path folder = options.resume;
  if (!resuming) {
    if (options.data.empty()) throw CLI::RequiredError("DATA (or --resume RUN)");
    spec = make_spec(options);
    folder = spec.folder = options.out.empty() ? default_folder(options.data) : options.out;
    if (!options.quiet && !spec.backbone_facts.contains("name"))
      fmt::print(out,
                 "no model card for {}: input {} px, mean {} std {} (set input.* in the recipe where the network was "
                 "trained otherwise)\n",
                 spec.recipe.backbone.string(), spec.recipe.input.size, Json(spec.recipe.input.mean).dump(),
                 Json(spec.recipe.input.std).dump());
  }
  Trainer trainer = resuming ? Trainer::resume(folder, environment_of(options)) : Trainer(std::move(spec));
  trainer.add_observer(std::make_shared<TrainConsole>(out, options.quiet));
  const RunResult result = trainer.run(interrupted());
  const fs::path report = result.finished ? write_report(RunFolder(folder)) : fs::path();
  if (!result.finished) {
    fmt::print(stderr, "stopped; go on with: graft train --resume {}\n", folder.string());
    return kInterruptedStatus;
  }
  if (json)
    print_json({{"run", folder.string()}, {"model", (folder / "model.pt").string()}, {"metrics", result.metrics}});
  else if (!options.quiet)
    print_result(result, folder, report, out);
  return 0;
}

}  // namespace

void add_train(CLI::App& program, Outcome& outcome) {
  auto* command = program.add_subcommand("train", "Fine-tune a backbone on labelled photos and export one file");
  auto options = std::make_shared<TrainOptions>();
  auto* data = command->add_option(
      "DATA", options->data, "folder of class folders, folder with train/ and val/, or .csv/.tsv with path,label");
  auto* backbone = command->add_option("--backbone", options->backbone,
                                       "name of a model card, or a TorchScript file (an artifact too)");
  add_features_flags(*command, options->features);
  command->add_option("--preset", options->preset,
                      join(preset_names()) + ", or auto to choose by the photos (default probe)");
  command->add_option("--recipe", options->recipe, "JSON recipe laid over the preset");
  command->add_option("--set", options->set, "KEY=VALUE over the recipe, such as phases.0.epochs=5")
      ->allow_extra_args(false);
  command->add_option("--out", options->out, "run folder (default runs/DATA-N)");
  command->add_option("--device", options->device, "auto, cpu, cuda or cuda:N");
  command->add_option("--seed", options->seed, "seed of everything random")->check(CLI::NonNegativeNumber);
  command->add_option("--threads", options->threads, "threads to compute with (default one a core)")
      ->check(CLI::Range(1, 1024));
  command->add_option("--resume", options->resume, "go on with this run's folder, everything else taken from it")
      ->excludes(data)
      ->excludes(backbone);
  command->add_flag("--quiet", options->quiet, "print errors alone");
  add_trust_flag(*command, options->trust);
  command->add_flag("--json", outcome.json, "print the result as JSON");
  command->footer("example: graft train photos --backbone efficientnet_lite0 --preset finetune --out runs/mine");
  command->callback([options, &outcome] { outcome.exit_code = run_training(*options, outcome.json); });
}

}  // namespace graft::cli
