#include "graft/image/jpeg.h"

// jpeglib.h needs size_t and FILE declared before it.
#include <cstdio>
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <ATen/Functions.h>

#include <algorithm>
#include <csetjmp>
#include <vector>

#include "graft/image/encoded_image.h"
#include "graft/image/tiff.h"

namespace graft {
namespace {

/// libjpeg reports errors by calling a function that must not return, and its C frames cannot carry an exception: the
/// three steps below leave by longjmp, and nothing with a destructor lives in their frames.
struct JpegReader {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf escape{};
  char message[JMSG_LENGTH_MAX] = "";
  bool cut_short = false;

  JpegReader() = default;
  ~JpegReader() { jpeg_destroy_decompress(&info); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
};

JpegReader& reader_of(j_common_ptr info) { return *static_cast<JpegReader*>(info->client_data); }

[[noreturn]] void leave(j_common_ptr info) {
  info->err->format_message(info, reader_of(info).message);
  std::longjmp(reader_of(info).escape, 1);
}

/// Every warning but one is let pass, as in Pillow: the picture is there, if with a flaw.
void hear_warning(j_common_ptr info, int level) {
  if (level >= 0 || info->err->msg_code != JWRN_JPEG_EOF) return;
  reader_of(info).cut_short = true;
  leave(info);
}

/// A few kilobytes can hold thousands of progressive scans, each as long to decode as the whole image.
void limit_scans(j_common_ptr info) {
  constexpr int kMostScans = 500;
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
  info->err->msg_code = JERR_BAD_PROGRESSION;
  leave(info);
}

bool read_header(JpegReader& reader, Bytes bytes) {
  reader.info.err = jpeg_std_error(&reader.errors);
  reader.errors.error_exit = leave;
  reader.errors.emit_message = hear_warning;
  reader.errors.output_message = [](j_common_ptr) {};
  reader.info.client_data = &reader;
  if (setjmp(reader.escape) != 0) return false;
  jpeg_create_decompress(&reader.info);
  reader.progress.progress_monitor = limit_scans;
  reader.info.progress = &reader.progress;
  jpeg_mem_src(&reader.info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_save_markers(&reader.info, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&reader.info, TRUE);
  return true;
}

bool start(JpegReader& reader) {
  if (setjmp(reader.escape) != 0) return false;
  return jpeg_start_decompress(&reader.info) != FALSE;
}

/// Reads rows into `pixels`, or by way of `row` where that is not null: four samples a pixel, inverted CMYK.
bool read_rows(JpegReader& reader, std::uint8_t* pixels, std::uint8_t* row) {
  if (setjmp(reader.escape) != 0) return false;
  const std::size_t width = reader.info.output_width;
  while (reader.info.output_scanline < reader.info.output_height) {
    std::uint8_t* out = pixels + 3 * width * reader.info.output_scanline;
    JSAMPROW rows[] = {row == nullptr ? out : row};
    jpeg_read_scanlines(&reader.info, rows, 1);
    for (std::size_t x = 0; row != nullptr && x < width; ++x) {
      const unsigned black = row[4 * x + 3];
      for (std::size_t c = 0; c < 3; ++c) {
        // Pillow's division by 255, rounded, without a division.
        const unsigned product = (255U - row[4 * x + c]) * black + 128U;
        out[3 * x + c] = static_cast<std::uint8_t>(black - ((product + (product >> 8)) >> 8));
      }
    }
  }
  jpeg_finish_decompress(&reader.info);
  return true;
}

[[noreturn]] void throw_failure(const JpegReader& reader, const std::string& subject) {
  if (reader.cut_short) throw_cut_short(subject);
  throw_damaged(subject, reader.message);
}

int orientation_of(const JpegReader& reader) {
  for (const auto* marker = reader.info.marker_list; marker != nullptr; marker = marker->next) {
    const ByteReader content(std::as_bytes(std::span(marker->data, marker->data_length)), ByteOrder::kBig);
    if (content.size() > 6 && content.text(0, 4) == "Exif") return exif_orientation(content.part(0, content.size()));
  }
  return 1;
}

/// The largest of 1, 2, 4 and 8 that leaves the shorter side twice as long as `target`.
unsigned reduction(unsigned shorter, int target) {
  unsigned factor = 1;
  while (target > 0 && factor < 8 && shorter / (2 * factor) >= 2 * static_cast<unsigned>(target)) factor *= 2;
  return factor;
}

}  // namespace

JpegHeader read_jpeg_header(Bytes bytes, const std::string& subject) {
  JpegReader reader;
  if (!read_header(reader, bytes)) throw_failure(reader, subject);
  return {static_cast<int>(reader.info.image_height), static_cast<int>(reader.info.image_width),
          orientation_of(reader)};
}

DecodedJpeg decode_jpeg(Bytes bytes, int target, const std::string& subject) {
  JpegReader reader;
  if (!read_header(reader, bytes)) throw_failure(reader, subject);
  auto& info = reader.info;
  check_pixel_count(info.image_height, info.image_width, subject);
  const bool cmyk = info.num_components == 4;
  info.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  info.scale_denom = reduction(std::min(info.image_height, info.image_width), target);
  if (!start(reader)) throw_failure(reader, subject);
  DecodedJpeg image{at::empty({info.output_height, info.output_width, 3}, at::kByte), orientation_of(reader)};
  std::vector<std::uint8_t> row(cmyk ? 4 * std::size_t{info.output_width} : 0);
  if (!read_rows(reader, image.pixels.data_ptr<std::uint8_t>(), cmyk ? row.data() : nullptr))
    throw_failure(reader, subject);
  return image;
}

std::string jpeg_version() { return std::to_string(JPEG_LIB_VERSION); }

}  // namespace graft
