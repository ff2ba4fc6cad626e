#include "graft/image/photo_facts.h"

#include <ATen/core/Tensor.h>

#include <array>

#include "graft/image/decode.h"
#include "graft/image/encoded_image.h"
#include "graft/image/jpeg.h"

namespace graft {
namespace {

struct FormatNames {
  std::string name;
  std::vector<std::string> extensions;
};
const FormatNames& names_of(ImageFormat format) {
  static const std::array<FormatNames, 6> kNames{{{"JPEG", {".jpg", ".jpeg", ".jpe", ".jfif"}},
                                                  {"PNG", {".png"}},
                                                  {"WebP", {".webp"}},
                                                  {"BMP", {".bmp", ".dib"}},
                                                  {"TIFF", {".tif", ".tiff"}},
                                                  {"GIF", {".gif"}}}};
  return kNames.at(static_cast<std::size_t>(format));
}

}  // namespace

PhotoFacts examine_photo(std::span<const std::byte> bytes, const std::string& subject) {
  // A JPEG is decoded at an eighth, which reads all of it; its header has the size.
  const at::Tensor pixels = decode_image(bytes, {.target = 1}, subject);
  PhotoFacts facts{.format = detect_format(bytes, subject),
                   .height = static_cast<int>(pixels.size(0)),
                   .width = static_cast<int>(pixels.size(1))};
  if (facts.format == ImageFormat::kJpeg) {
    const JpegHeader header = read_jpeg_header(bytes, subject);
    const bool on_its_side = header.orientation >= 5;
    facts.height = on_its_side ? header.width : header.height;
    facts.width = on_its_side ? header.height : header.width;
    facts.orientation = header.orientation;
  } else {
    facts.orientation = examine_image(bytes, facts.format, subject).orientation;
  }
  return facts;
}

std::string to_string(ImageFormat format) { return names_of(format).name; }

const std::vector<std::string>& extensions_of(ImageFormat format) { return names_of(format).extensions; }

}  // namespace graft
