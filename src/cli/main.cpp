#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "command.h"
#include "console.h"
#include "format.h"
#include "graft/core/reason.h"
#include "graft/core/runtime.h"
#include "signals.h"

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

int run(int argc, char** argv) {
  CLI::App program{"Graft: transfer learning on any TorchScript backbone", "graft"};
  program.set_version_flag("--version",
                           fmt::format("graft {}\nlibtorch {}", graft::graft_version(), graft::torch_version()));
  program.require_subcommand(0, 1);  // an unknown word is then named as such
  graft::cli::Outcome outcome;
  for (const auto add :
       {graft::cli::add_train, graft::cli::add_evaluate, graft::cli::add_predict, graft::cli::add_inspect,
        graft::cli::add_export, graft::cli::add_verify, graft::cli::add_audit, graft::cli::add_models,
        graft::cli::add_cache, graft::cli::add_lr_find, graft::cli::add_recipe})
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
  graft::cli::watch_interrupts();
  graft::keep_freed_memory();
  leave(run_safely(argc, argv));
}
