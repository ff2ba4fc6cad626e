#include "graft/artifact/verify.h"

#include "command.h"
#include "console.h"
#include "format.h"

namespace graft::cli {
namespace {

int run_verify(const std::string& model, bool json) {
  const auto checks = verify_artifact(model);
  bool all = true;
  Json rows = Json::array();
  for (const auto& check : checks) {
    all = all && check.passed;
    rows.push_back({{"check", check.name}, {"passed", check.passed}, {"detail", check.detail}});
    if (!json) fmt::print("{}  {}: {}\n", check.passed ? "ok    " : "FAILED", check.name, check.detail);
  }
  if (json) print_json({{"model", model}, {"passed", all}, {"checks", rows}});
  if (!all)
    fmt::print(stderr, "error: artifact '{}': does not hold what it says: was it changed after it was exported?\n",
               model);
  return all ? 0 : 1;
}

}  // namespace

void add_verify(CLI::App& program, Outcome& outcome) {
  auto* command = program.add_subcommand("verify", "Hold an exported model against its own hashes and golden pair");
  auto model = std::make_shared<std::string>();
  command->add_option("MODEL", *model, "model.pt of graft train")->required();
  command->add_flag("--json", outcome.json, "print the checks as JSON");
  command->footer("example: graft verify runs/mine/model.pt");
  command->callback([model, &outcome] { outcome.exit_code = run_verify(*model, outcome.json); });
}

}  // namespace graft::cli
