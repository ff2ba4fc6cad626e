#pragma once
#include <cstddef>
#include <string>

namespace graft {

/// Sets how many threads LibTorch computes with in this process (at least 1; 0 stands for one a core) and prepares its
/// executor. The one owner of LibTorch's process-wide switches; call it before the first forward.
void set_thread_count(int threads);
int thread_count();

/// While it lives, LibTorch computes with one thread in the calling thread: for workers that run side by side.
class OneThreadScope {
 public:
  OneThreadScope();
  ~OneThreadScope();
  OneThreadScope(const OneThreadScope&) = delete;
  OneThreadScope& operator=(const OneThreadScope&) = delete;

 private:
  int before_;
};

/// While it lives, the calling thread multiplies float32 matrices and maps on the CPU in bfloat16 (at::autocast). One
/// scope a forward pass: weights are rounded once in each.
class Bfloat16Scope {
 public:
  Bfloat16Scope();
  ~Bfloat16Scope();
  Bfloat16Scope(const Bfloat16Scope&) = delete;
  Bfloat16Scope& operator=(const Bfloat16Scope&) = delete;
};

/// Whether this CPU computes with bfloat16 by instructions of its own (AVX-512 BF16, AMX).
bool has_fast_bfloat16();

/// The processor's own name of itself, "" where the system does not tell.
std::string cpu_name();

/// Lets this process keep the memory that it frees instead of giving every large block back to the system at once:
/// batches are freed and taken again at the same sizes, and fresh pages cost a third of a frozen pass. For programs,
/// which own their process; glibc only.
void keep_freed_memory();

/// Bytes of memory that this process may still take (Linux: MemAvailable).
std::size_t available_memory();

/// Graft's version, "0.1.0".
std::string graft_version();
/// LibTorch's version as it was built against, "2.13.0".
std::string torch_version();

}  // namespace graft
