#pragma once
#include <stop_token>

namespace graft::cli {

/// Makes SIGINT and SIGTERM a request to stop after the current step; a second one ends the process at once with status
/// 130. Call it before any thread is started.
void watch_interrupts();

/// Stops when the first signal comes.
std::stop_token interrupted();

inline constexpr int kInterruptedStatus = 130;

}  // namespace graft::cli
