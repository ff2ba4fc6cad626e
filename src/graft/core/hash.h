#pragma once
#include <ATen/core/Tensor.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>

namespace graft {

/// SHA-256 (FIPS 180-4) of what is fed to it.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Sha256& update(std::span<const std::byte> bytes);
  Sha256& update(std::string_view text);
  /// 64 lower-case hexadecimal digits. Nothing may be fed after it.
  std::string hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string sha256(std::string_view bytes);
/// Of the tensors' names, types, shapes and bytes, in the order of the names.
std::string sha256(const std::map<std::string, at::Tensor>& tensors);
/// @throws Error when the file cannot be read.
std::string sha256_file(const std::filesystem::path& path);

}  // namespace graft
