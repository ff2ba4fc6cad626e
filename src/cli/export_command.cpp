#include "command.h"
#include "console.h"
#include "format.h"
#include "graft/artifact/precision.h"
#include "graft/train/export_checkpoint.h"
#include "train_console.h"
#include "trust_flag.h"

namespace graft::cli {
namespace {

struct ExportOptions {
  std::string run, out;
  CheckpointChoice choice;
};

void run_export(const ExportOptions& options, bool json) {
  std::FILE* out = json ? stderr : stdout;
  TrainConsole console(out, false);
  const Json answer = export_checkpoint(RunFolder(options.run), options.out, options.choice, console);
  if (json) {
    Json whole{{"run", options.run}, {"model", options.out}};
    whole.update(answer);
    return print_json(whole);
  }
  print_figures(out, answer["metrics"]);
  fmt::print("model: {} (phase '{}' epoch {}, {})\n", options.out, answer["phase"].get<std::string>(),
             answer["epoch"].get<std::int64_t>(), options.choice.precision);
}

}  // namespace

void add_export(CLI::App& program, Outcome& outcome) {
  auto* command = program.add_subcommand("export", "Export a run anew: another checkpoint, or another precision");
  auto options = std::make_shared<ExportOptions>();
  command->add_option("RUN", options->run, "folder of a run, finished or stopped; its photos and its backbone are read")
      ->required();
  command->add_option("-o,--out", options->out, "the file to write; one that is there is never overwritten")
      ->required();
  command
      ->add_option("--checkpoint", options->choice.checkpoint,
                   "best: the best epoch (default); last: where the run stands; average: the running mean there")
      ->check(CLI::IsMember(checkpoint_names()));
  command
      ->add_option("--precision", options->choice.precision,
                   "what the backbone computes in: fp32 (default), bf16 or fp16; images and answers stay as they are")
      ->check(CLI::IsMember(precision_names()));
  add_trust_flag(*command, options->choice.trust);
  command->add_flag("--json", outcome.json, "print the result as JSON");
  command->footer("example: graft export runs/mine -o mine.bf16.pt --precision bf16");
  command->callback([options, &outcome] { run_export(*options, outcome.json); });
}

}  // namespace graft::cli
