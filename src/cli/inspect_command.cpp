
#include <algorithm>

#include "command.h"
#include "console.h"
#include "format.h"
#include "graft/artifact/artifact.h"
#include "graft/backbone/layers.h"
#include "graft/backbone/train_selection.h"
#include "home.h"
#include "trust_flag.h"

namespace graft::cli {
namespace {

struct InspectOptions {
  std::string file;
  std::vector<std::string> train{"head"};
  int size = 0;
  Trust trust = Trust::kScan;
};

std::int64_t total_parameters(const std::vector<Layer>& layers) {
  std::int64_t total = 0;
  for (const auto& layer : layers) total += layer.parameters;
  return total;
}

std::vector<std::string> warnings_of(const Backbone& backbone) {
  std::vector<std::string> warnings;
  if (!backbone.classifier().found()) warnings.push_back("no classifier was found: the output is taken as features");
  if (backbone.kind() == BackboneKind::kFrozen)
    warnings.push_back("the file is frozen: its weights are constants and none of its layers can train");
  if (backbone.untraced().stuck > 0)
    warnings.push_back(
        fmt::format("{} traced layers have no training flag and stay in eval mode", backbone.untraced().stuck));
  return warnings;
}

Json inspect_json(const Backbone& backbone, const std::vector<Layer>& layers, const TrainSelection& selection,
                  const std::string& kind) {
  Json json{
      {"kind", kind},
      {"parameters", total_parameters(layers)},
      {"classifier",
       {{"path", backbone.classifier().path}, {"in", backbone.classifier().in}, {"out", backbone.classifier().out}}},
      {"num_features", backbone.num_features()}};
  json["stages"] = Json::array();
  for (const auto& stage : backbone.stages()) json["stages"].push_back(stage.name);
  json["layers"] = Json::array();
  for (const auto& layer : layers) {
    const bool trained = std::any_of(layer.names.begin(), layer.names.end(),
                                     [&](const auto& name) { return selection.backbone.contains(name); });
    json["layers"].push_back({{"path", layer.path},
                              {"type", layer.type},
                              {"shape", layer.shape},
                              {"parameters", layer.parameters},
                              {"trained", trained}});
  }
  json["boundary"] = backbone.boundary_name(backbone.boundary_below(selection.backbone));
  json["warnings"] = warnings_of(backbone);
  return json;
}

std::string stage_of(const Backbone& backbone, const Layer& layer) {
  for (const auto& stage : backbone.stages())
    if (std::find(stage.parameters.begin(), stage.parameters.end(), layer.names.front()) != stage.parameters.end())
      return stage.name;
  return "";
}

void print_inspection(const Backbone& backbone, const std::vector<Layer>& layers, const Json& json) {
  std::vector<std::vector<std::string>> rows{{"layer", "type", "output", "parameters", "stage", "under --train"}};
  for (std::size_t i = 0; i < layers.size(); ++i)
    rows.push_back({layers[i].path.empty() ? "(root)" : layers[i].path, layers[i].type,
                    fmt::format("{}", fmt::join(layers[i].shape, " x ")), short_count(layers[i].parameters),
                    stage_of(backbone, layers[i]), json["layers"][i]["trained"].get<bool>() ? "trains" : "frozen"});
  fmt::print("{}\n", format_table(rows));
  const auto& classifier = backbone.classifier();
  fmt::print("kind        {}\n", json["kind"].get<std::string>());
  fmt::print("parameters  {} (without the classifier)\n", short_count(json["parameters"].get<std::int64_t>()));
  fmt::print("classifier  {}\n", classifier.found() ? fmt::format("{}, {} -> {}, {}", classifier.path, classifier.in,
                                                                  classifier.out, classifier.rule)
                                                    : "none");
  fmt::print("features    {}\n", backbone.num_features());
  fmt::print("stages      {}\n", fmt::join(json["stages"].get<std::vector<std::string>>(), ", "));
  fmt::print("boundary    {}\n", json["boundary"].get<std::string>());
  for (const auto& warning : json["warnings"]) fmt::print("warning: {}\n", warning.get<std::string>());
}

void run_inspect(const InspectOptions& options, bool json) {
  const ChosenBackbone chosen = choose_backbone(options.file);
  const bool artifact = is_artifact(chosen.file, "backbone");
  const auto input = known_input(chosen, options.trust);
  const Backbone backbone =
      Backbone::load(chosen.file, options.size > 0 ? options.size : input.value_or(InputSpec{}).size, options.trust);
  const auto selection = select_trained(options.train, backbone, {"weight", "bias"}, "--train");
  const auto layers = list_layers(backbone);
  Json answer = inspect_json(backbone, layers, selection, artifact ? "artifact" : to_string(backbone.kind()));
  if (artifact) {
    const auto metadata = load_artifact(chosen.file, options.trust).metadata;
    answer["artifact"] = {
        {"task", metadata.task}, {"classes", metadata.classes}, {"metrics", metadata.metrics}, {"data", metadata.data}};
  }
  if (json) return print_json(answer);
  print_inspection(backbone, layers, answer);
  if (artifact)
    fmt::print("classes     {}\n", fmt::join(answer["artifact"]["classes"].get<std::vector<std::string>>(), ", "));
}

}  // namespace

void add_inspect(CLI::App& program, Outcome& outcome) {
  auto* command =
      program.add_subcommand("inspect", "Show a backbone's or an artifact's layers, stages and what would train");
  auto options = std::make_shared<InspectOptions>();
  command->add_option("FILE", options->file, "a TorchScript file, or the name of a model card")->required();
  command->add_option("--train", options->train,
                      "globs as in a recipe's \"train\": what would train, where the boundary falls");
  command->add_option("--size", options->size, "side of the square images, pixels (default: the card's, or 224)")
      ->check(CLI::Range(8, 4096));
  add_trust_flag(*command, options->trust);
  command->add_flag("--json", outcome.json, "print it as JSON");
  command->footer("example: graft inspect efficientnet_lite0 --train head last:2");
  command->callback([options, &outcome] { run_inspect(*options, outcome.json); });
}

}  // namespace graft::cli
