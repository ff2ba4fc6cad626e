#include "graft/core/runtime.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <c10/util/Exception.h>
#include <malloc.h>
#include <omp.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/version.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <thread>

#include "graft/core/version.h"

namespace graft {

void set_thread_count(int threads) {
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  at::set_num_threads(threads > 0 ? threads : cores);
  // The profiling executor's first run gives other gradients, in the last digits, than its later ones: a resumed run
  // would differ.
  torch::jit::getProfilingMode() = false;
}

int thread_count() { return at::get_num_threads(); }

OneThreadScope::OneThreadScope() : before_(at::get_num_threads()) {
  // at::set_num_threads would change every thread's default; OpenMP's own setting is per thread.
  omp_set_num_threads(1);
}

OneThreadScope::~OneThreadScope() { omp_set_num_threads(before_); }

Bfloat16Scope::Bfloat16Scope() {
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  at::autocast::increment_nesting();
}

Bfloat16Scope::~Bfloat16Scope() {
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCPU, false);
}

bool has_fast_bfloat16() {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

std::string cpu_name() {
  std::ifstream facts("/proc/cpuinfo");
  for (std::string line; std::getline(facts, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "";
}

void keep_freed_memory() {
#ifdef __GLIBC__
  // The other arenas hold no block above 64 MB, and each keeps what it frees to itself.
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TOP_PAD, 256 << 20);
#endif
}

std::size_t available_memory() {
  std::ifstream file("/proc/meminfo");
  for (std::string key; file >> key;) {
    std::size_t kilobytes = 0;
    if (key == "MemAvailable:" && file >> kilobytes) return kilobytes * 1024;
  }
  TORCH_CHECK(false, "/proc/meminfo names no MemAvailable");
}

std::string graft_version() { return kVersion; }

std::string torch_version() { return TORCH_VERSION; }

}  // namespace graft
