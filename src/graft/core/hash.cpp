#include "graft/core/hash.h"

#include <openssl/evp.h>
#include <torch/types.h>

#include <fstream>
#include <vector>

#include "graft/core/error.h"

namespace graft {

namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

}  // namespace

std::string to_hex(std::span<const std::uint8_t> bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

bool from_hex(std::string_view hex, std::span<std::uint8_t> bytes) {
  if (hex.size() != 2 * bytes.size()) return false;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    const auto value = kDigits.find(hex[i]);
    if (value == std::string_view::npos) return false;
    bytes[i / 2] = static_cast<std::uint8_t>(unsigned{bytes[i / 2]} << 4U | value);
  }
  return true;
}

std::optional<Digest> Digest::parse(std::string_view hex) {
  Digest digest;
  return from_hex(hex, digest.bytes) ? std::optional(digest) : std::nullopt;
}

std::uint64_t Digest::first_bits() const {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < sizeof bits; ++i) bits = bits << 8U | bytes[i];
  return bits;
}

struct Sha256::Context {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> handle{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  TORCH_CHECK(EVP_DigestInit_ex(context_->handle.get(), EVP_sha256(), nullptr) == 1, "OpenSSL has no SHA-256");
}

Sha256::~Sha256() = default;

Sha256& Sha256::update(std::span<const std::byte> bytes) {
  TORCH_CHECK(EVP_DigestUpdate(context_->handle.get(), bytes.data(), bytes.size()) == 1, "SHA-256 update failed");
  return *this;
}

Sha256& Sha256::update(std::string_view text) { return update(std::as_bytes(std::span(text.data(), text.size()))); }

Digest Sha256::digest() {
  Digest digest;
  unsigned int length = 0;
  TORCH_CHECK(EVP_DigestFinal_ex(context_->handle.get(), digest.bytes.data(), &length) == 1, "SHA-256 failed");
  return digest;
}

std::string sha256(std::string_view bytes) { return Sha256().update(bytes).hex(); }

std::string sha256(const std::map<std::string, at::Tensor>& tensors) {
  Sha256 hash;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor bytes = tensor.detach().cpu().contiguous();
    hash.update(name).update(" ").update(c10::toString(bytes.scalar_type()));
    for (const auto size : bytes.sizes()) hash.update(" ").update(std::to_string(size));
    hash.update("\n").update(std::string_view(static_cast<const char*>(bytes.data_ptr()), bytes.nbytes()));
  }
  return hash.hex();
}

std::string sha256_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error({"'" + path.string() + "'", "cannot be opened", "a readable file", ""});
  Sha256 hash;
  std::vector<char> buffer(1 << 20);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || file.gcount() > 0)
    hash.update(std::string_view(buffer.data(), static_cast<std::size_t>(file.gcount())));
  if (file.bad()) throw Error({"'" + path.string() + "'", "cannot be read to its end", "a readable file", ""});
  return hash.hex();
}

}  // namespace graft
