#include "graft/image/input_spec.h"

#include <algorithm>
#include <cmath>

namespace graft {
namespace {

const std::vector<std::string> kResizeNames{"shorter", "squash"};
const std::vector<std::string> kInterpolationNames{"bilinear", "bicubic"};
const std::vector<std::string> kDecodeNames{"reduced", "full"};

std::array<double, 3> read_colour(JsonReader& reader, const std::string& key, const std::array<double, 3>& fallback,
                                  Range range) {
  const auto values = reader.numbers(key, {fallback.begin(), fallback.end()}, range);
  return {values[0], values[1], values[2]};
}

template <typename Enum>
Enum read_name(JsonReader& reader, const std::string& key, Enum fallback, const std::vector<std::string>& names) {
  const auto name = reader.choice(key, names[static_cast<std::size_t>(fallback)], names);
  return static_cast<Enum>(std::find(names.begin(), names.end(), name) - names.begin());
}

}  // namespace

int InputSpec::resized_side() const {
  return resize == ResizeMode::kSquash ? size : static_cast<int>(std::floor(size / crop));
}

InputSpec read_input_spec(JsonReader reader, const InputSpec& fallback) {
  InputSpec spec;
  spec.size = static_cast<int>(reader.integer("size", fallback.size, Range::between(8, 4096)));
  spec.resize = read_name(reader, "resize", fallback.resize, kResizeNames);
  spec.crop = reader.number("crop", fallback.crop, {.low = 0.1, .high = 1});
  spec.interpolation = read_name(reader, "interpolation", fallback.interpolation, kInterpolationNames);
  spec.mean = read_colour(reader, "mean", fallback.mean, {});
  spec.std = read_colour(reader, "std", fallback.std, Range::above(0));
  spec.full_decode = read_name(reader, "decode", fallback.full_decode ? 1 : 0, kDecodeNames) == 1;
  reader.finish();
  return spec;
}

Json to_json(const InputSpec& spec) {
  return {{"size", spec.size},
          {"resize", kResizeNames[static_cast<std::size_t>(spec.resize)]},
          {"crop", spec.crop},
          {"interpolation", kInterpolationNames[static_cast<std::size_t>(spec.interpolation)]},
          {"mean", spec.mean},
          {"std", spec.std},
          {"decode", kDecodeNames[spec.full_decode ? 1 : 0]}};
}

}  // namespace graft
