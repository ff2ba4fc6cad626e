
#include "command.h"
#include "console.h"
#include "format.h"
#include "home.h"

namespace graft::cli {
namespace {

void run_models(bool json) {
  std::vector<std::vector<std::string>> rows{
      {"name", "input", "parameters", "features", "top-1", "licence", "here", "how to get it"}};
  Json answers = Json::array();
  for (const auto& card : model_cards()) {
    const bool here = std::filesystem::exists(weights_of(card));
    rows.push_back({card.name, fmt::format("{} px", card.input.size), short_count(card.parameters),
                    std::to_string(card.num_features), card.accuracy.substr(0, card.accuracy.find(" (")),
                    card.license.substr(0, card.license.find_first_of(" ,;(")), here ? "yes" : "no",
                    here ? "" : card.export_command});
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
    fmt::print("{}", format_table(rows));
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
