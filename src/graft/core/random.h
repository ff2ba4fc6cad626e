#pragma once
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace graft {

/// The seed of one stream of randomness. Streams are derived from the run's seed, a name and up to two numbers (phase,
/// epoch, step, image), never carried along, so that a resumed run needs no generator state.
std::uint64_t derive_seed(std::uint64_t seed, std::string_view stream, std::uint64_t a = 0, std::uint64_t b = 0);

/// A small generator (SplitMix64; Steele, Lea and Flood 2014) with the same numbers on every platform.
class RandomStream {
 public:
  explicit RandomStream(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits();
  /// Uniform in [0, 1).
  double uniform();
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform in {0, …, count - 1}; count must be positive.
  std::uint64_t below(std::uint64_t count);

  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  std::uint64_t state_;
};

/// Seeds LibTorch's default generators (CPU and every CUDA device), which dropout draws from.
void seed_torch(std::uint64_t seed);

}  // namespace graft
