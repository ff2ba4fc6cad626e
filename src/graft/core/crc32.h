#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace graft {

/// CRC-32 (ISO 3309), as PNG and zip have it.
std::uint32_t crc32(std::span<const std::byte> bytes);
/// CRC-32C (Castagnoli; RFC 3720), as TensorFlow's records have it.
std::uint32_t crc32c(std::span<const std::byte> bytes);

}  // namespace graft
