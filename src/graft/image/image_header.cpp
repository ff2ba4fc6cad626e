#include "graft/image/image_header.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace graft {
namespace {

struct Signature {
  std::string_view format;
  std::size_t offset;
  std::string_view bytes;
};
constexpr std::array kSignatures{
    Signature{"jpeg", 0, "\xFF\xD8\xFF"},
    Signature{"png", 0, "\x89PNG\r\n\x1A\n"},
    Signature{"gif", 0, "GIF8"},
    Signature{"webp", 8, "WEBP"},
    Signature{"bmp", 0, "BM"},
    Signature{"tiff", 0, {"II*\0", 4}},
    Signature{"tiff", 0, {"MM\0*", 4}},
    Signature{"heif", 4, "ftyp"},
};

/// Reads big-endian numbers; past the end everything is zero.
class Bytes {
 public:
  explicit Bytes(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::size_t size() const { return bytes_.size(); }
  unsigned at(std::size_t i) const { return i < bytes_.size() ? std::to_integer<unsigned>(bytes_[i]) : 0; }
  std::int64_t big_endian(std::size_t i, std::size_t count) const {
    std::int64_t value = 0;
    for (std::size_t k = 0; k < count; ++k) value = value << 8 | at(i + k);
    return value;
  }
  /// Index of the next byte 0xFF from `i`, or size().
  std::size_t next_marker(std::size_t i) const {
    if (i >= bytes_.size()) return bytes_.size();
    const void* found = std::memchr(bytes_.data() + i, 0xFF, bytes_.size() - i);
    return found == nullptr ? bytes_.size()
                            : static_cast<std::size_t>(static_cast<const std::byte*>(found) - bytes_.data());
  }

 private:
  std::span<const std::byte> bytes_;
};

bool is_frame_header(unsigned marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

/// Walks the segments (ISO/IEC 10918-1, annex B) to the frame's size and on to the end-of-image marker. A thumbnail
/// within EXIF is skipped with its segment, so its own markers are not taken for the photo's.
void walk_jpeg(const Bytes& bytes, ImageHeader& header) {
  header.complete = false;
  std::size_t i = 2;
  while ((i = bytes.next_marker(i)) + 1 < bytes.size()) {
    const unsigned marker = bytes.at(i + 1);
    const bool stuffed = marker == 0x00 || marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8);
    if (marker == 0xD9) {
      header.complete = true;
      return;
    }
    if (marker == 0xFF) {
      ++i;
      continue;
    }
    if (!stuffed && is_frame_header(marker)) {
      header.height = bytes.big_endian(i + 5, 2);
      header.width = bytes.big_endian(i + 7, 2);
    }
    i += stuffed ? 2 : 2 + static_cast<std::size_t>(std::max<std::int64_t>(2, bytes.big_endian(i + 2, 2)));
  }
}

}  // namespace

ImageHeader read_image_header(std::span<const std::byte> bytes) {
  ImageHeader header;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const auto& signature : kSignatures)
    if (header.format.empty() && text.size() >= signature.offset &&
        text.substr(signature.offset).starts_with(signature.bytes))
      header.format = signature.format;
  const Bytes reader(bytes);
  if (header.format == "jpeg") walk_jpeg(reader, header);
  if (header.format == "png") {
    header.width = reader.big_endian(16, 4);
    header.height = reader.big_endian(20, 4);
  }
  return header;
}

}  // namespace graft
