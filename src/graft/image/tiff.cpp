#include "graft/image/tiff.h"

#include <optional>

namespace graft {
namespace {

enum Tag : std::uint32_t {  // TIFF 6.0, section 8 on
  kImageWidth = 256,
  kImageLength = 257,
  kStripOffsets = 273,
  kOrientation = 274,
  kStripByteCounts = 279,
  kTileOffsets = 324,
  kTileByteCounts = 325,
  kExtraSamples = 338,
};

/// The first image file directory of a TIFF file.
class Directory {
 public:
  explicit Directory(Bytes tiff)
      : reader_(tiff, ByteReader(tiff, ByteOrder::kBig).text(0, 1) == "M" ? ByteOrder::kBig : ByteOrder::kLittle) {
    offset_ = reader_.number(4, 4);
    count_ = reader_.number(offset_, 2);
  }

  ByteOrder order() const { return reader_.order(); }

  /// Where the values of an entry lie.
  struct Entry {
    std::size_t offset, width, count;
  };
  std::optional<Entry> find(Tag tag) const {
    for (std::size_t i = 0; i < count_; ++i) {
      const std::size_t at = offset_ + 2 + 12 * i;
      if (reader_.number(at, 2) != tag) continue;
      const std::uint32_t type = reader_.number(at + 2, 2);
      if (type != kShort && type != kLong) return std::nullopt;
      const std::size_t width = type == kShort ? 2 : 4, count = reader_.number(at + 4, 4);
      const std::size_t start = width * count <= 4 ? at + 8 : reader_.number(at + 8, 4);
      reader_.part(start, width * count);
      return Entry{start, width, count};
    }
    return std::nullopt;
  }
  std::uint32_t value(const Entry& entry, std::size_t index) const {
    return reader_.number(entry.offset + index * entry.width, entry.width);
  }
  std::uint32_t first(Tag tag, std::uint32_t fallback) const {
    const auto entry = find(tag);
    return entry && entry->count > 0 ? value(*entry, 0) : fallback;
  }
  /// Reads the last byte of every piece of pixel data that the two entries list.
  void check_pieces(Tag offsets_tag, Tag counts_tag) const {
    const auto offsets = find(offsets_tag), counts = find(counts_tag);
    if (!offsets || !counts) return;
    for (std::size_t i = 0; i < std::min(offsets->count, counts->count); ++i)
      reader_.part(value(*offsets, i), value(*counts, i));
  }

 private:
  static constexpr std::uint32_t kShort = 3, kLong = 4;
  ByteReader reader_;
  std::size_t offset_ = 0, count_ = 0;
};

void overwrite(std::vector<std::byte>& bytes, const Directory& directory, Tag tag, std::uint8_t value) {
  const auto entry = directory.find(tag);
  if (!entry) return;
  for (std::size_t i = 0; i < entry->count * entry->width; ++i) {
    const bool lowest = i % entry->width == (directory.order() == ByteOrder::kBig ? entry->width - 1 : 0);
    bytes[entry->offset + i] = lowest ? std::byte{value} : std::byte{0};
  }
}

int valid_orientation(std::uint32_t value) { return value >= 1 && value <= 8 ? static_cast<int>(value) : 1; }

}  // namespace

int exif_orientation(Bytes exif) {
  constexpr std::string_view kPrefix("Exif\0\0", 6);
  try {
    const ByteReader reader(exif, ByteOrder::kBig);
    const Bytes tiff = reader.text(0, kPrefix.size()) == kPrefix ? exif.subspan(kPrefix.size()) : exif;
    return valid_orientation(Directory(tiff).first(kOrientation, 1));
  } catch (const std::out_of_range&) {
    return 1;  // as Pillow: damaged EXIF data does not make the photo unreadable
  }
}

EncodedImage examine_tiff(Bytes bytes, const std::string& subject) {
  constexpr std::uint8_t kUpright = 1, kAssociatedAlpha = 1;
  const Directory directory(bytes);
  check_pixel_count(directory.first(kImageLength, 0), directory.first(kImageWidth, 0), subject);
  directory.check_pieces(kStripOffsets, kStripByteCounts);
  directory.check_pieces(kTileOffsets, kTileByteCounts);
  EncodedImage image;
  image.orientation = valid_orientation(directory.first(kOrientation, 1));
  image.storage.assign(bytes.begin(), bytes.end());
  overwrite(image.storage, directory, kOrientation, kUpright);
  overwrite(image.storage, directory, kExtraSamples, kAssociatedAlpha);
  image.bytes = image.storage;
  return image;
}

}  // namespace graft
