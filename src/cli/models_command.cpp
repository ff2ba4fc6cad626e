#include "command.h"
#include "console.h"
#include "format.h"
#include "graft/core/short_count.h"
#include "home.h"

namespace graft::cli {
namespace {

/// The cards name the same script: the table shows what follows it.
const std::string kExportScript = "scripts/export_backbone.py";

std::string without_script(const std::string& command) {
  return command.starts_with(kExportScript + " ") ? command.substr(kExportScript.size() + 1) : command;
}

void run_models(bool json) {
  std::vector<std::vector<std::string>> rows{
      {"name", "input", "parameters", "features", "top-1", "licence", "here", "export"}};
  Json answers = Json::array();
  for (const auto& card : model_cards()) {
    const bool here = std::filesystem::exists(weights_of(card));
    rows.push_back({card.name, fmt::format("{} px", card.input.size), short_count(card.parameters),
                    card.num_features > 0 ? std::to_string(card.num_features) : "",
                    card.accuracy.substr(0, card.accuracy.find(" (")),
                    card.license.substr(0, card.license.find_first_of(" ,;(")), here ? "yes" : "no",
                    here ? "" : without_script(card.export_command)});
    answers.push_back({{"name", card.name},
                       {"title", card.title},
                       {"input", to_json(card.input)},
                       {"parameters", card.parameters},
                       {"num_features", card.num_features},
                       {"accuracy", card.accuracy},
                       {"license", card.license},
                       {"file", here ? weights_of(card).string() : ""},
                       {"export", card.export_command}});
  }
  if (json)
    print_json(answers);
  else
    fmt::print("{}\nTo get one that is not here: {} and what stands under 'export'.\n", format_table(rows),
               kExportScript);
}

}  // namespace

void add_models(CLI::App& program, Outcome& outcome) {
  auto* command =
      program.add_subcommand("models", "List known backbones, which weights are here, and how to get the others");
  command->add_flag("--json", outcome.json, "print the cards as JSON");
  command->footer("example: graft models");
  command->callback([&outcome] { run_models(outcome.json); });
}

}  // namespace graft::cli
