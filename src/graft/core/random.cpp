#include "graft/core/random.h"

#include <torch/utils.h>

namespace graft {
namespace {

std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;

}  // namespace

std::uint64_t derive_seed(std::uint64_t seed, std::string_view stream, std::uint64_t a, std::uint64_t b) {
  std::uint64_t state = mix(seed + kGolden);
  for (const char c : stream) state = mix(state ^ static_cast<unsigned char>(c)) + kGolden;
  state = mix(state ^ mix(a + kGolden));
  return mix(state ^ mix(b + 2 * kGolden));
}

std::uint64_t RandomStream::bits() { return mix(state_ += kGolden); }

double RandomStream::uniform() { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }

std::uint64_t RandomStream::below(std::uint64_t count) {
  // Rejects the top slice that would make small results likelier.
  const std::uint64_t limit = -count % count;
  std::uint64_t drawn = bits();
  while (drawn < limit) drawn = bits();
  return drawn % count;
}

void seed_torch(std::uint64_t seed) { torch::manual_seed(seed); }

}  // namespace graft
