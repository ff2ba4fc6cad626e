
#include <algorithm>

#include "command.h"
#include "console.h"
#include "features_flags.h"
#include "format.h"
#include "graft/artifact/artifact.h"
#include "graft/backbone/layers.h"
#include "graft/backbone/train_selection.h"
#include "graft/core/names.h"
#include "graft/core/short_count.h"
#include "home.h"
#include "plan.h"
#include "run_options.h"
#include "trust_flag.h"

namespace graft::cli {
namespace {

struct InspectOptions {
  std::string file;
  std::vector<std::string> train{"head"};
  FeaturesFlags features;
  int size = 0;
  Trust trust = Trust::kScan;
  std::size_t depth = 0;
  RunOptions run;  ///< with --plan
};

std::string stage_of(const Backbone& backbone, const Layer& layer) {
  for (const auto& stage : backbone.stages())
    for (const auto& name : layer.names)
      if (contains(stage.parameters, name)) return stage.name;
  return "";
}

bool is_trained(const Layer& layer, const TrainSelection& selection) {
  return std::any_of(layer.names.begin(), layer.names.end(),
                     [&](const auto& name) { return selection.backbone.contains(name); });
}

Json inspect_json(const Backbone& backbone, const std::vector<Layer>& layers, const TrainSelection& selection,
                  const std::string& kind) {
  Json json{
      {"kind", kind},
      {"parameters", layers.front().all_parameters},
      {"multiply_adds", layers.front().multiply_adds},
      {"classifier",
       {{"path", backbone.classifier().path}, {"in", backbone.classifier().in}, {"out", backbone.classifier().out}}},
      {"num_features", backbone.num_features()}};
  json["stages"] = Json::array();
  for (const auto& stage : backbone.stages()) json["stages"].push_back(stage.name);
  json["layers"] = Json::array();
  for (const auto& layer : layers)
    if (layer.parameters > 0)
      json["layers"].push_back({{"path", layer.path},
                                {"type", layer.type},
                                {"shape", layer.shape},
                                {"parameters", layer.parameters},
                                {"multiply_adds", layer.multiply_adds},
                                {"stage", stage_of(backbone, layer)},
                                {"trained", is_trained(layer, selection)}});
  json["boundaries"] = backbone.module_boundaries();
  json["last_boundary"] = backbone.last_boundary();
  json["boundary"] = backbone.boundary_name(backbone.boundary_below(selection.backbone));
  json["warnings"] = backbone.notes();
  return json;
}

std::vector<std::string> tree_row(const Backbone& backbone, const Layer& layer, const TrainSelection& selection) {
  const auto dot = layer.path.rfind('.');
  const std::string name = layer.path.empty() ? "(network)" : layer.path.substr(dot == std::string::npos ? 0 : dot + 1);
  return {std::string(2 * layer.depth, ' ') + name,
          layer.type,
          fmt::format("{}", fmt::join(layer.shape, " x ")),
          short_count(layer.all_parameters),
          layer.multiply_adds == 0 ? "" : short_count(layer.multiply_adds),
          stage_of(backbone, layer),
          layer.names.empty()            ? ""
          : is_trained(layer, selection) ? "trains"
                                         : "frozen"};
}

void print_inspection(const Backbone& backbone, const std::vector<Layer>& layers, const TrainSelection& selection,
                      const Json& json, std::size_t depth) {
  std::vector<std::vector<std::string>> rows{
      {"layer", "type", "output", "parameters", "multiply-adds", "stage", "under --train"}};
  for (const auto& layer : layers)
    if (layer.all_parameters > 0 && (depth == 0 || layer.depth <= depth))
      rows.push_back(tree_row(backbone, layer, selection));
  fmt::print("{}\n", format_table(rows));
  const auto& classifier = backbone.classifier();
  fmt::print("kind           {}\n", json["kind"].get<std::string>());
  fmt::print("parameters     {} (without the classifier)\n", short_count(layers.front().all_parameters));
  fmt::print("multiply-adds  {} for one image of {} px\n", short_count(layers.front().multiply_adds),
             backbone.image_size());
  fmt::print("classifier     {}\n", classifier.found() ? fmt::format("{}, {} -> {}, {}", classifier.path, classifier.in,
                                                                     classifier.out, classifier.rule)
                                                       : classifier.rule);
  fmt::print("features       {}\n", backbone.num_features());
  fmt::print("stages         {}\n", fmt::join(json["stages"].get<std::vector<std::string>>(), ", "));
  fmt::print("boundaries     {} places where one tensor crosses\n", backbone.last_boundary());
  fmt::print("boundary       {}: {}\n", json["boundary"].get<std::string>(),
             selection.backbone.empty() ? "nothing of the backbone trains"
                                        : "what lies behind it trains or is passed by gradients");
  for (const auto& note : backbone.notes()) fmt::print("note: {}\n", note);
}

void run_inspect(InspectOptions options, bool json) {
  if (!options.run.data.empty()) {
    options.run.backbone = options.file;
    options.run.features = options.features;
    options.run.trust = options.trust;
    return print_plan(options.run, json);
  }
  const ChosenBackbone chosen = choose_backbone(options.file);
  const bool artifact = is_artifact(chosen.file, "backbone");
  const auto input = known_input(chosen, options.trust);
  const Backbone backbone =
      Backbone::load(chosen.file, {.image_size = options.size > 0 ? options.size : input.value_or(InputSpec{}).size,
                                   .features = options.features.choice(),
                                   .trust = options.trust});
  const auto selection = select_trained(options.train, backbone, {"weight", "bias"}, "--train");
  const auto layers = list_layers(backbone);
  Json answer = inspect_json(backbone, layers, selection, artifact ? "artifact" : to_string(backbone.kind()));
  if (artifact) {
    const auto metadata = load_artifact(chosen.file, options.trust).metadata;
    answer["artifact"] = {
        {"task", metadata.task}, {"classes", metadata.classes}, {"metrics", metadata.metrics}, {"data", metadata.data}};
  }
  if (json) return print_json(answer);
  print_inspection(backbone, layers, selection, answer, options.depth);
  if (artifact)
    fmt::print("classes        {}\n", fmt::join(answer["artifact"]["classes"].get<std::vector<std::string>>(), ", "));
}

}  // namespace

void add_inspect(CLI::App& program, Outcome& outcome) {
  auto* command =
      program.add_subcommand("inspect", "Show a backbone's or an artifact's layers, stages and what would train");
  auto options = std::make_shared<InspectOptions>();
  command->add_option("FILE", options->file, "a TorchScript file, or the name of a model card")->required();
  auto* plan = command->add_option("--plan", options->run.data,
                                   "what graft train would take on these photos, phase by phase, in place of layers");
  command
      ->add_option("--train", options->train,
                   "globs as in a recipe's \"train\": what would train, where the boundary falls")
      ->excludes(plan);
  command->add_option("--size", options->size, "side of the square images, pixels (default: the card's, or 224)")
      ->check(CLI::Range(8, 4096))
      ->excludes(plan);
  command->add_option("--depth", options->depth, "deepest level of modules to print (default: all)")->excludes(plan);
  for (auto* option : add_recipe_options(*command, options->run)) option->needs(plan)->group("With --plan");
  add_features_flags(*command, options->features);
  add_trust_flag(*command, options->trust);
  command->add_flag("--json", outcome.json, "print it as JSON");
  command->footer(
      "example: graft inspect efficientnet_lite0 --train head last:2\n"
      "example: graft inspect efficientnet_lite0 --plan photos --preset finetune");
  command->callback([options, &outcome] { run_inspect(*options, outcome.json); });
}

}  // namespace graft::cli
