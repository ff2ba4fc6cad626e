#pragma once
#include <CLI/CLI.hpp>

/// One function a command: each adds its subcommand to the program.
namespace graft::cli {

/// What a command ends with; what happens on an error is main's.
struct Outcome {
  int exit_code = 0;
  bool json = false;  ///< --json was given: an error is answered as JSON too
};

void add_train(CLI::App& program, Outcome& outcome);
void add_evaluate(CLI::App& program, Outcome& outcome);
void add_predict(CLI::App& program, Outcome& outcome);
void add_inspect(CLI::App& program, Outcome& outcome);
void add_export(CLI::App& program, Outcome& outcome);
void add_verify(CLI::App& program, Outcome& outcome);
void add_audit(CLI::App& program, Outcome& outcome);
void add_models(CLI::App& program, Outcome& outcome);
void add_cache(CLI::App& program, Outcome& outcome);
void add_lr_find(CLI::App& program, Outcome& outcome);
void add_recipe(CLI::App& program, Outcome& outcome);

}  // namespace graft::cli
