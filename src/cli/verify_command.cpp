#include "graft/artifact/verify.h"

#include "command.h"
#include "console.h"
#include "format.h"
#include "trust_flag.h"

namespace graft::cli {
namespace {

struct VerifyOptions {
  std::string model;
  Trust trust = Trust::kScan;
};

int run_verify(const VerifyOptions& options, bool json) {
  const std::string& model = options.model;
  const auto checks = verify_artifact(model, options.trust);
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
  auto* command =
      program.add_subcommand("verify", "Scan an exported model and hold it against its own hashes and golden pair");
  auto options = std::make_shared<VerifyOptions>();
  command->add_option("MODEL", options->model, "model.pt of graft train")->required();
  add_trust_flag(*command, options->trust);
  command->add_flag("--json", outcome.json, "print the checks as JSON");
  command->footer("example: graft verify runs/mine/model.pt");
  command->callback([options, &outcome] { outcome.exit_code = run_verify(*options, outcome.json); });
}

}  // namespace graft::cli
