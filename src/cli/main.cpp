
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

#include "command.h"
#include "console.h"
#include "format.h"
#include "graft/core/reason.h"
#include "graft/core/runtime.h"
#include "signals.h"

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

/// Whether a command computes with a team of threads for longer than it takes to start the program twice.
bool computes_in_a_team(std::string_view command) {
  static constexpr std::array<std::string_view, 6> kCommands{"train",   "lr-find", "evaluate",
                                                             "inspect", "export",  "verify"};
  return std::find(kCommands.begin(), kCommands.end(), command) != kCommands.end();
}

/// Idle OpenMP threads spin for milliseconds by default, which on a busy machine costs ten times what a small training
/// step does. libgomp reads its environment when it is loaded, so the program starts itself again with a short spin; an
/// environment that already says something is kept.
void spin_shortly(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("GOMP_SPINCOUNT", "1000", 1);
  execv("/proc/self/exe", argv);
}

int run(int argc, char** argv) {
  CLI::App program{"Graft: transfer learning on any TorchScript backbone", "graft"};
  program.set_version_flag("--version",
                           fmt::format("graft {}\nlibtorch {}", graft::graft_version(), graft::torch_version()));
  program.require_subcommand(0, 1);  // an unknown word is then named as such
  graft::cli::Outcome outcome;
  for (const auto add :
       {graft::cli::add_train, graft::cli::add_evaluate, graft::cli::add_predict, graft::cli::add_inspect,
        graft::cli::add_export, graft::cli::add_verify, graft::cli::add_audit, graft::cli::add_models,
        graft::cli::add_cache, graft::cli::add_lr_find, graft::cli::add_recipe, graft::cli::add_find_engine})
    add(program, outcome);
  try {
    program.parse(argc, argv);
    if (program.get_subcommands().empty()) throw CLI::RequiredError("a command");
  } catch (const CLI::Success& answer) {
    return program.exit(answer);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "error: {}: see graft --help or graft COMMAND --help\n", error.what());
    return kUsage;
  } catch (const graft::Error& error) {
    graft::cli::report(error, outcome.json);
    return kFailed;
  }
  return outcome.exit_code;
}

int run_safely(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    fmt::print(stderr,
               "error: memory: there is not enough: use smaller batches (--set data.batch_size=8), or --set "
               "cache.activations=off\n");
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: graft: {}\n", graft::reason_in(error.what()));
  }
  return kFailed;
}

/// Ends the process without tearing LibTorch's tables of operators down, which takes a sixth of a short command's time.
[[noreturn]] void leave(int exit_code) {
  if (std::fflush(stdout) != 0) {
    fmt::print(stderr, "error: standard output: {}\n", std::strerror(errno));
    exit_code = kFailed;
  }
  std::_Exit(exit_code);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && computes_in_a_team(argv[1])) spin_shortly(argv);
  graft::cli::watch_interrupts();
  graft::keep_freed_memory();
  leave(run_safely(argc, argv));
}
