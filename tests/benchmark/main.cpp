#include <benchmark/benchmark.h>

#include "graft/core/runtime.h"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  graft::set_thread_count(0);
  graft::keep_freed_memory();
  benchmark::RunSpecifiedBenchmarks();
}
