
#include "command.h"
#include "console.h"
#include "format.h"
#include "graft/core/names.h"
#include "graft/train/recipe.h"

namespace graft::cli {
namespace {

struct RecipeOptions {
  std::string preset, task = "single_label";
  std::string check;
  bool schema = false;
};

void run_recipe(const RecipeOptions& options, bool json) {
  if (options.schema) return print_json(recipe_schema());
  if (options.check.empty()) {
    Json recipe = preset_recipe(preset_under({}, options.preset), options.task);
    Json full;
    for (const char* key : {"graft", "preset", "seed", "task", "device", "precision", "threads"})
      full[key] = recipe[key];
    full["backbone"] = {{"file", "weights/efficientnet_lite0.pt"}};
    full["input"] = to_json(InputSpec{});
    lay_over(full, recipe);
    print_json(full);
    return;
  }
  // What a recipe leaves out comes from the preset, as in graft train.
  const Json own = read_json_file(options.check);
  const std::string preset = preset_under(own, options.preset);
  Json recipe = preset_recipe(preset == "auto" ? "probe" : preset, task_in(own));
  lay_over(recipe, own);
  if (!recipe.contains("backbone")) recipe["backbone"] = Json::object();
  if (Json& backbone = recipe["backbone"]; backbone.is_object() && !backbone.contains("file"))
    backbone["file"] = "given by --backbone";
  read_recipe(recipe, "");
  if (json)
    print_json({{"recipe", options.check}, {"valid", true}});
  else
    fmt::print("{}: a valid recipe\n", options.check);
}

}  // namespace

void add_recipe(CLI::App& program, Outcome& outcome) {
  auto* command = program.add_subcommand("recipe", "Print a preset's full recipe or the schema of all, or check one");
  auto options = std::make_shared<RecipeOptions>();
  command->add_option("--preset", options->preset, join(preset_names()) + " (default probe)");
  auto* task = command->add_option("--task", options->task, join(task_names()) + " (default single_label)")
                   ->check(CLI::IsMember(task_names()));
  auto* check = command->add_option("--check", options->check, "name every mistake of this recipe")->excludes(task);
  command->add_flag("--schema", options->schema, "print the JSON Schema of recipes, for editors")->excludes(check);
  command->add_flag("--json", outcome.json, "answer as JSON");
  command->footer("example: graft recipe --preset finetune > mine.json && graft recipe --check mine.json");
  command->callback([options, &outcome] { run_recipe(*options, outcome.json); });
}

}  // namespace graft::cli
