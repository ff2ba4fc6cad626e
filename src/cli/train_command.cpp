
#include "command.h"
#include "console.h"
#include "format.h"
#include "graft/report/report.h"
#include "graft/train/run_folder.h"
#include "graft/train/trainer.h"
#include "run_options.h"
#include "signals.h"
#include "train_console.h"

namespace graft::cli {
namespace {

namespace fs = std::filesystem;

struct TrainOptions {
  RunOptions run;
  std::string out, resume;
  bool quiet = false;
};

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
    if (options.run.data.empty()) throw CLI::RequiredError("DATA (or --resume RUN)");
    spec = make_spec(options.run, environment_of(options.run));
    folder = spec.folder = options.out.empty() ? default_folder(options.run.data) : options.out;
    if (!options.quiet) print_input(out, spec);
  }
  Trainer trainer = resuming ? Trainer::resume(folder, environment_of(options.run)) : Trainer(std::move(spec));
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
  const NewRunFlags only_new = add_run_options(*command, options->run);
  command->add_option("--out", options->out, "run folder (default runs/DATA-N)");
  command->add_option("--resume", options->resume, "go on with this run's folder, everything else taken from it")
      ->excludes(only_new.data)
      ->excludes(only_new.backbone);
  command->add_flag("--quiet", options->quiet, "print errors alone");
  command->add_flag("--json", outcome.json, "print the result as JSON");
  command->footer("example: graft train photos --backbone efficientnet_lite0 --preset finetune --out runs/mine");
  command->callback([options, &outcome] { outcome.exit_code = run_training(*options, outcome.json); });
}

}  // namespace graft::cli
