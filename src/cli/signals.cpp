#include "signals.h"

#include <unistd.h>

#include <csignal>
#include <thread>

namespace graft::cli {
namespace {

std::stop_source& source() {
  static std::stop_source source;
  return source;
}

/// Only commands that take a stop between steps listen; for the others the first signal ends the process too.
bool& listened() {
  static bool listened = false;
  return listened;
}

void wait_for_signals(sigset_t signals) {
  int signal = 0;
  sigwait(&signals, &signal);
  if (!listened()) _exit(kInterruptedStatus);
  source().request_stop();
  sigwait(&signals, &signal);
  _exit(kInterruptedStatus);
}

}  // namespace

void watch_interrupts() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  // A file-size limit then shows as a failed write, with its error line, and not as a signal.
  std::signal(SIGXFSZ, SIG_IGN);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  source();
  std::thread(wait_for_signals, signals).detach();
}

std::stop_token interrupted() {
  listened() = true;
  return source().get_token();
}

}  // namespace graft::cli
