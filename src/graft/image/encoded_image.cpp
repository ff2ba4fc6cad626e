#include "graft/image/encoded_image.h"

#include <algorithm>
#include <cstdlib>

#include "graft/core/error.h"
#include "graft/image/png.h"
#include "graft/image/tiff.h"

namespace graft {
namespace {

constexpr std::uint64_t kMostPixels = 1ULL << 28;
constexpr const char* kFormats = "a JPEG, PNG, WebP, BMP, TIFF or GIF image";

struct Signature {
  std::size_t offset;
  std::string_view text;
  ImageFormat format;
};
constexpr Signature kSignatures[] = {
    {0, "\xff\xd8\xff", ImageFormat::kJpeg},
    {0, "\x89PNG\r\n\x1a\n", ImageFormat::kPng},
    {8, "WEBP", ImageFormat::kWebp},
    {0, "BM", ImageFormat::kBmp},
    {0, std::string_view("II*\0", 4), ImageFormat::kTiff},
    {0, std::string_view("MM\0*", 4), ImageFormat::kTiff},
    {0, "GIF8", ImageFormat::kGif},
};

/// What people keep among their photos that Graft does not decode.
struct Stranger {
  std::size_t offset;
  std::string_view text;
  const char* found;
};
constexpr Stranger kStrangers[] = {
    {4, "ftypavif", "is an AVIF image"},
    {4, "ftyphei", "is a HEIC photo"},
    {4, "ftypmif1", "is a HEIC photo"},
    {4, "ftyp", "is a video"},
    {0, "%PDF", "is a PDF document"},
    {0, "PK\x03\x04", "is a zip archive"},
    {0, std::string_view("II+\0", 4), "is a BigTIFF image"},
    {0, std::string_view("\0\0\0\x0cjP  ", 8), "is a JPEG 2000 image"},
    {0, "version https://git-lfs", "is a Git LFS pointer, not the file it stands for"},
};

bool holds(const ByteReader& reader, std::size_t offset, std::string_view text) {
  return reader.size() >= offset + text.size() && reader.text(offset, text.size()) == text;
}

bool looks_like_text(Bytes bytes) {
  const auto start = bytes.first(std::min<std::size_t>(bytes.size(), 64));
  return std::all_of(start.begin(), start.end(), [](std::byte byte) {
    const auto c = std::to_integer<unsigned char>(byte);
    return c >= 0x20 || c == '\n' || c == '\r' || c == '\t';
  });
}

EncodedImage examine_webp(Bytes bytes, const std::string& subject) {
  constexpr std::uint32_t kAnimated = 2;
  const ByteReader reader(bytes, ByteOrder::kLittle);
  const std::size_t end = 8 + std::size_t{reader.number(4, 4)};
  if (end > bytes.size()) throw_cut_short(subject);
  EncodedImage image{.bytes = bytes.first(end)};
  for (std::size_t at = 12; at + 8 <= end;) {
    const std::size_t length = reader.number(at + 4, 4);
    if (holds(reader, at, "VP8X") && (reader.number(at + 8, 1) & kAnimated) != 0)
      throw Error({subject, "is an animated WebP image", "a still image", "convert it to one"});
    if (holds(reader, at, "EXIF")) image.orientation = exif_orientation(reader.part(at + 8, length));
    at += 8 + length + length % 2;
  }
  return image;
}

EncodedImage examine_bmp(Bytes bytes, const std::string& subject) {
  constexpr std::uint32_t kOldHeader = 12, kRunLength8 = 1, kRunLength4 = 2, kBitFields = 3;
  const ByteReader reader(bytes, ByteOrder::kLittle);
  const std::uint64_t start = reader.number(10, 4);
  const bool old = reader.number(14, 4) == kOldHeader;
  const std::uint64_t width = old ? reader.number(18, 2) : reader.number(18, 4);
  // A negative height says that the rows run from top to bottom.
  const auto signed_height = static_cast<std::int32_t>(old ? reader.number(20, 2) : reader.number(22, 4));
  const auto height = static_cast<std::uint64_t>(std::abs(std::int64_t{signed_height}));
  check_pixel_count(height, width, subject);
  const std::uint64_t bits = old ? reader.number(24, 2) : reader.number(28, 2);
  const std::uint32_t compression = old ? 0 : reader.number(30, 4);
  if (compression > kBitFields) throw_damaged(subject, "BMP compression " + std::to_string(compression));
  const std::uint64_t row = (width * bits + 31) / 32 * 4;
  if (compression != kRunLength8 && compression != kRunLength4 && start + row * height > bytes.size())
    throw_cut_short(subject);
  return {.bytes = bytes};
}

EncodedImage examine_gif(Bytes bytes, const std::string& subject) {
  const ByteReader reader(bytes, ByteOrder::kLittle);
  check_pixel_count(reader.number(8, 2), reader.number(6, 2), subject);
  return {.bytes = bytes};
}

}  // namespace

ImageFormat detect_format(Bytes bytes, const std::string& subject) {
  if (bytes.empty()) throw Error({subject, "is empty", kFormats, ""});
  const ByteReader reader(bytes, ByteOrder::kBig);
  for (const auto& known : kSignatures)
    if (holds(reader, known.offset, known.text)) return known.format;
  for (const auto& stranger : kStrangers)
    if (holds(reader, stranger.offset, stranger.text)) throw Error({subject, stranger.found, kFormats, "convert it"});
  const bool text = looks_like_text(bytes);
  throw Error({subject, text ? "is text" : "is of no format that is known here", kFormats,
               text ? "was an error page downloaded in its place?" : ""});
}

EncodedImage examine_image(Bytes bytes, ImageFormat format, const std::string& subject) {
  try {
    switch (format) {
      case ImageFormat::kPng:
        return examine_png(bytes, subject);
      case ImageFormat::kWebp:
        return examine_webp(bytes, subject);
      case ImageFormat::kBmp:
        return examine_bmp(bytes, subject);
      case ImageFormat::kTiff:
        return examine_tiff(bytes, subject);
      case ImageFormat::kGif:
        return examine_gif(bytes, subject);
      case ImageFormat::kJpeg:
        break;
    }
    return {.bytes = bytes};
  } catch (const std::out_of_range&) {
    throw_cut_short(subject);
  }
}

void check_pixel_count(std::uint64_t height, std::uint64_t width, const std::string& subject) {
  const std::string found = "is " + std::to_string(width) + " x " + std::to_string(height) + " pixels";
  if (height == 0 || width == 0) throw Error({subject, found, "at least one pixel", "the file is damaged"});
  if (width > kMostPixels / height)
    throw Error({subject, found, "at most " + std::to_string(kMostPixels) + " pixels", "scale it down"});
}

void throw_cut_short(const std::string& subject) {
  throw Error({subject, "is cut short", "a whole image", "was it downloaded or copied completely?"});
}

void throw_damaged(const std::string& subject, const std::string& reason) {
  throw Error({subject, "cannot be decoded (" + reason + ")", "an undamaged image", ""});
}

}  // namespace graft
