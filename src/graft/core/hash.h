#pragma once
#include <ATen/core/Tensor.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace graft {

/// Two lower-case hexadecimal digits a byte.
std::string to_hex(std::span<const std::uint8_t> bytes);
/// False where the text is not what to_hex gives of so many bytes.
bool from_hex(std::string_view hex, std::span<std::uint8_t> bytes);

/// A SHA-256. In order of its hexadecimal digits.
struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  std::string hex() const { return to_hex(bytes); }
  /// Nothing where the text is not what hex() gives.
  static std::optional<Digest> parse(std::string_view hex);
  /// The first eight bytes, most significant first.
  std::uint64_t first_bits() const;

  auto operator<=>(const Digest&) const = default;
};

/// SHA-256 (FIPS 180-4) of what is fed to it.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Sha256& update(std::span<const std::byte> bytes);
  Sha256& update(std::string_view text);
  /// Nothing may be fed after it.
  Digest digest();
  std::string hex() { return digest().hex(); }

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// In hexadecimal digits, as the next two.
std::string sha256(std::string_view bytes);
/// Of the tensors' names, types, shapes and bytes, in the order of the names.
std::string sha256(const std::map<std::string, at::Tensor>& tensors);
/// @throws Error when the file cannot be read.
std::string sha256_file(const std::filesystem::path& path);

}  // namespace graft

template <>
struct std::hash<graft::Digest> {
  std::size_t operator()(const graft::Digest& digest) const noexcept { return digest.first_bits(); }
};
