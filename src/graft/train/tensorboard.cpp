#include "graft/train/tensorboard.h"

#include <bit>
#include <cerrno>
#include <chrono>
#include <cstdint>

#include "graft/core/crc32.h"
#include "graft/core/files.h"

namespace graft {
namespace {

std::string little_endian(std::uint64_t value, unsigned bytes) {
  std::string text;
  for (unsigned i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * i & 0xffU);
  return text;
}

// Fields of protobuf messages, by their number and in the encoding of their type.

std::string varint(std::uint64_t value) {
  std::string text;
  for (; value >= 0x80U; value >>= 7) text += static_cast<char>((value & 0x7fU) | 0x80U);
  return text + static_cast<char>(value);
}
std::string field(unsigned number, std::int64_t value) {
  return varint(number << 3) + varint(static_cast<std::uint64_t>(value));
}
std::string field(unsigned number, double value) {
  return varint(number << 3 | 1U) + little_endian(std::bit_cast<std::uint64_t>(value), 8);
}
std::string field(unsigned number, const std::string& content) {
  return varint(number << 3 | 2U) + varint(content.size()) + content;
}
std::string field(unsigned number, float value) {
  return varint(number << 3 | 5U) + little_endian(std::bit_cast<std::uint32_t>(value), 4);
}

/// A Summary's value: tag, simple_value.
std::string scalar(const std::string& tag, const Json& value) {
  return field(1, field(1, tag) + field(2, static_cast<float>(value.get<double>())));
}

std::string masked_crc(const std::string& data) {
  return little_endian(std::rotr(crc32c(std::as_bytes(std::span(data))), 15) + 0xa282ead8U, 4);
}

std::string tfrecord(const std::string& data) {
  const std::string length = little_endian(data.size(), 8);
  return length + masked_crc(length) + data + masked_crc(data);
}

}  // namespace

void TensorBoardEvents::write(const Json& epoch) {
  const auto step = epoch.at("step").get<std::int64_t>();
  errno = 0;
  if (!file_.is_open()) start(step);
  std::string values = scalar("loss/train", epoch.at("train_loss")) + scalar("loss/val", epoch.at("val_loss"));
  for (const auto& [key, value] : epoch.items())
    if (key.starts_with("val_") && key != "val_loss") values += scalar("val/" + key.substr(4), value);
  for (const auto& [place, rate] : epoch.at("lr").items()) values += scalar("lr/" + place, rate);
  put(field(5, values), step);
}

void TensorBoardEvents::start(std::int64_t step) {
  file_.open(path_, std::ios::binary);
  put(field(3, std::string("brain.Event:2")), 0);
  constexpr std::int64_t kStart = 1;
  put(field(7, field(1, kStart)), step);
}

/// Writes an Event: wall_time, step and `content`, one more field.
void TensorBoardEvents::put(const std::string& content, std::int64_t step) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  file_ << tfrecord(field(1, std::chrono::duration<double>(now).count()) + field(2, step) + content) << std::flush;
  if (!file_) throw_unwritable(path_);
}

}  // namespace graft
