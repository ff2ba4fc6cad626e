#include "graft/image/png.h"

#include "graft/core/crc32.h"
#include "graft/image/tiff.h"

namespace graft {
namespace {

bool holds_pixels(std::string_view kind) {
  return kind == "IHDR" || kind == "PLTE" || kind == "IDAT" || kind == "IEND";
}

}  // namespace

EncodedImage examine_png(Bytes bytes, const std::string& subject) {
  constexpr std::size_t kSignature = 8, kFrame = 12;  // a chunk: length, name, content, CRC
  const ByteReader reader(bytes, ByteOrder::kBig);
  if (reader.text(kSignature + 4, 4) != "IHDR") throw_damaged(subject, "no PNG header");
  check_pixel_count(reader.number(20, 4), reader.number(16, 4), subject);
  EncodedImage image;
  image.storage.assign(bytes.begin(), bytes.begin() + kSignature);
  std::string_view kind;
  for (std::size_t at = kSignature; kind != "IEND";) {
    const std::size_t length = reader.number(at, 4);
    const Bytes chunk = reader.part(at, kFrame + length);
    kind = reader.text(at + 4, 4);
    if (holds_pixels(kind)) {
      if (crc32(chunk.subspan(4, 4 + length)) != reader.number(at + 8 + length, 4))
        throw_damaged(subject, "the checksum of a PNG chunk is wrong");
      image.storage.insert(image.storage.end(), chunk.begin(), chunk.end());
    }
    if (kind == "eXIf") image.orientation = exif_orientation(chunk.subspan(8, length));
    at += kFrame + length;
  }
  image.bytes = image.storage;
  return image;
}

}  // namespace graft
