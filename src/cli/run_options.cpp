#include "run_options.h"

#include "format.h"
#include "graft/core/hash.h"
#include "graft/core/names.h"
#include "graft/train/preset_choice.h"
#include "home.h"
#include "trust_flag.h"

namespace graft::cli {

namespace fs = std::filesystem;

std::vector<CLI::Option*> add_recipe_options(CLI::App& command, RunOptions& options) {
  return {command.add_option("--preset", options.preset,
                             join(preset_names()) + ", or auto to choose by the photos (default probe)"),
          command.add_option("--recipe", options.recipe, "JSON recipe laid over the preset"),
          command.add_option("--set", options.set, "KEY=VALUE over the recipe, such as phases.0.epochs=5")
              ->allow_extra_args(false),
          command.add_option("--device", options.device, "auto, cpu, cuda or cuda:N"),
          command.add_option("--seed", options.seed, "seed of everything random")->check(CLI::NonNegativeNumber),
          command.add_option("--threads", options.threads, "threads to compute with (default one a core)")
              ->check(CLI::Range(1, 1024))};
}

NewRunFlags add_run_options(CLI::App& command, RunOptions& options) {
  auto* data = command.add_option("DATA", options.data,
                                  "folder of class folders, folder with train/ and val/, or .csv/.tsv with path,label");
  auto* backbone = command.add_option("--backbone", options.backbone,
                                      "name of a model card, or a TorchScript file (an artifact too)");
  add_features_flags(command, options.features);
  add_recipe_options(command, options);
  add_trust_flag(command, options.trust);
  return {data, backbone};
}

namespace {

/// What a recipe is made of, each laid over what came before: preset, card, own file, --set, flags.
struct RecipeParts {
  Json own;
  fs::path base;  ///< of paths in it
  std::string preset, task;
  ChosenBackbone backbone;
  std::optional<InputSpec> known_input;
};

RecipeParts read_parts(const RunOptions& options) {
  RecipeParts parts;
  parts.own = options.recipe.empty() ? Json::object() : read_json_file(options.recipe);
  parts.base = options.recipe.empty() ? fs::path() : fs::path(options.recipe).parent_path();
  Json over = parts.own;
  for (const auto& assignment : options.set) set_key(over, assignment);
  parts.preset = preset_under(over, options.preset);
  parts.task = task_in(over);
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

RunSpec spec_over(const std::string& preset, const RunOptions& options, const RecipeParts& parts,
                  const RunEnvironment& environment) {
  Json recipe = preset_recipe(preset, parts.task);
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
  spec.environment = environment;
  if (const auto& card = parts.backbone.card) spec.backbone_facts = {{"name", card->name}, {"license", card->license}};
  return spec;
}

}  // namespace

RunEnvironment environment_of(const RunOptions& options) {
  return {options.trust, engine_verdicts(), activation_stores(), image_indexes()};
}

RunSpec make_spec(const RunOptions& options, const RunEnvironment& environment) {
  const RecipeParts parts = read_parts(options);
  if (parts.preset != "auto") return spec_over(parts.preset, options, parts, environment);
  const PresetChoice choice = choose_preset(spec_over("probe", options, parts, environment));
  RunSpec spec = spec_over(choice.name, options, parts, environment);
  spec.preset_reason = choice.reason;
  return spec;
}

void print_input(std::FILE* out, const RunSpec& spec) {
  if (spec.backbone_facts.contains("name")) return;
  const Json input = to_json(spec.recipe, {})["input"];
  fmt::print(out,
             "no model card for {}: input {} px, mean {} std {} (set input.* in the recipe where the network was "
             "trained otherwise)\n",
             spec.recipe.backbone.string(), spec.recipe.input.size, input["mean"].dump(), input["std"].dump());
}

}  // namespace graft::cli
