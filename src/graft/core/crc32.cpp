#include "graft/core/crc32.h"

#include <array>

namespace graft {
namespace {

/// @param polynomial  its highest power in the lowest bit
constexpr std::array<std::uint32_t, 256> make_table(std::uint32_t polynomial) {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1U) != 0 ? polynomial ^ (value >> 1) : value >> 1;
    table[i] = value;
  }
  return table;
}

template <std::uint32_t polynomial>
std::uint32_t checksum(std::span<const std::byte> bytes) {
  static constexpr auto kTable = make_table(polynomial);
  std::uint32_t value = 0xffffffffU;
  for (const std::byte byte : bytes)
    value = kTable[(value ^ std::to_integer<std::uint32_t>(byte)) & 0xffU] ^ (value >> 8);
  return ~value;
}

}  // namespace

std::uint32_t crc32(std::span<const std::byte> bytes) { return checksum<0xedb88320U>(bytes); }
std::uint32_t crc32c(std::span<const std::byte> bytes) { return checksum<0x82f63b78U>(bytes); }

}  // namespace graft
