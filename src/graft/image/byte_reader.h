#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string_view>

namespace graft {

using Bytes = std::span<const std::byte>;

enum class ByteOrder { kLittle, kBig };

/// Whole numbers and names out of a file's bytes.
/// @throws std::out_of_range when what is asked for is not within them
class ByteReader {
 public:
  ByteReader(Bytes bytes, ByteOrder order) : bytes_(bytes), order_(order) {}

  std::size_t size() const { return bytes_.size(); }
  Bytes part(std::size_t offset, std::size_t count) const {
    if (offset > bytes_.size() || count > bytes_.size() - offset) throw std::out_of_range("bytes");
    return bytes_.subspan(offset, count);
  }
  /// The unsigned number of `width` (1 to 4) bytes at `offset`.
  std::uint32_t number(std::size_t offset, std::size_t width) const {
    std::uint32_t value = 0;
    const Bytes digits = part(offset, width);
    for (std::size_t i = 0; i < width; ++i)
      value = value << 8 | std::to_integer<std::uint32_t>(digits[order_ == ByteOrder::kBig ? i : width - 1 - i]);
    return value;
  }
  std::string_view text(std::size_t offset, std::size_t count) const {
    return {reinterpret_cast<const char*>(part(offset, count).data()), count};
  }
  ByteOrder order() const { return order_; }

 private:
  Bytes bytes_;
  ByteOrder order_;
};

}  // namespace graft
