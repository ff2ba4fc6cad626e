#pragma once
#include <chrono>
#include <string>
#include <vector>

namespace graft::cli {

struct ChildResult {
  std::string output;      ///< what it wrote to its standard output
  int exit_code = -1;      ///< -1: it did not exit by itself
  int signal = 0;          ///< that ended it, 0: none
  bool timed_out = false;  ///< it was ended because it took too long
};

/// Runs a program to its end, without standard input; its standard error goes nowhere.
/// @throws Error when it cannot be started.
ChildResult run_child(const std::vector<std::string>& command, std::chrono::seconds limit);

}  // namespace graft::cli
