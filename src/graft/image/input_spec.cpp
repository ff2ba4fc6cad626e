#include "graft/image/input_spec.h"

#include <algorithm>
#include <cmath>

#include "graft/core/whitening.h"

namespace graft {
namespace {

const std::vector<std::string> kResizeNames{"shorter", "squash"};
const std::vector<std::string> kInterpolationNames{"bilinear", "bicubic"};
const std::vector<std::string> kDecodeNames{"reduced", "full"};
constexpr const char* kNoWhitening = "none";

Json whiten_json(const std::optional<ColorMatrix>& matrix) { return matrix ? Json(*matrix) : Json(kNoWhitening); }

std::array<double, 3> read_channels(JsonReader& reader, const std::string& key, const std::array<double, 3>& fallback,
                                    Range range, bool* of_data) {
  std::vector<JsonForm> forms{JsonForm::list(JsonForm::number(range), 3)};
  if (of_data != nullptr) forms.push_back(JsonForm::word("data"));
  const Json found = reader.one_of(key, fallback, forms);
  if (!found.is_string()) return found.get<std::array<double, 3>>();
  *of_data = true;
  return fallback;
}

std::optional<ColorMatrix> read_whiten(JsonReader& reader, const std::optional<ColorMatrix>& fallback,
                                       std::string* of_data) {
  std::vector<JsonForm> forms{JsonForm::word(kNoWhitening),
                              JsonForm::list(JsonForm::list(JsonForm::number(Range::between(-1e6, 1e6)), 3), 3)};
  if (of_data != nullptr) forms.push_back(JsonForm::choice(whitening_kinds()));
  const Json found = reader.one_of("whiten", whiten_json(fallback), forms);
  if (found.is_array()) return found.get<ColorMatrix>();
  const auto word = found.get<std::string>();
  if (word != kNoWhitening) *of_data = word;
  return std::nullopt;
}

const std::string& name_of(ResizeMode mode) { return kResizeNames[mode == ResizeMode::kSquash]; }
const std::string& name_of(Interpolation kind) { return kInterpolationNames[kind == Interpolation::kBicubic]; }

}  // namespace

int InputSpec::resized_side() const {
  if (resize == ResizeMode::kSquash) return size;
  // The tolerance is for a crop written as a quotient such as 224 / 235, which division does not always turn back.
  return static_cast<int>(std::floor(size / crop + 1e-9));
}

InputSpec read_input_spec(JsonReader reader, const InputSpec& fallback, FiguresOfData* of_data) {
  InputSpec spec;
  spec.size = static_cast<int>(reader.integer("size", fallback.size, Range::between(8, 4096)));
  const auto resize = reader.choice("resize", name_of(fallback.resize), kResizeNames);
  spec.resize = resize == "squash" ? ResizeMode::kSquash : ResizeMode::kShorter;
  spec.crop = reader.number("crop", fallback.crop, Range::between(0.1, 1));
  const auto interpolation = reader.choice("interpolation", name_of(fallback.interpolation), kInterpolationNames);
  spec.interpolation = interpolation == "bicubic" ? Interpolation::kBicubic : Interpolation::kBilinear;
  spec.mean = read_channels(reader, "mean", fallback.mean, Range::between(-1000, 1000),
                            of_data == nullptr ? nullptr : &of_data->mean);
  spec.std = read_channels(reader, "std", fallback.std, {.low = 0, .high = 1000, .low_open = true},
                           of_data == nullptr ? nullptr : &of_data->std);
  spec.whiten = read_whiten(reader, fallback.whiten, of_data == nullptr ? nullptr : &of_data->whiten);
  spec.full_decode = reader.choice("decode", kDecodeNames[fallback.full_decode], kDecodeNames) == "full";
  reader.finish();
  return spec;
}

Json to_json(const InputSpec& spec) {
  return {{"size", spec.size},
          {"resize", name_of(spec.resize)},
          {"crop", spec.crop},
          {"interpolation", name_of(spec.interpolation)},
          {"mean", spec.mean},
          {"std", spec.std},
          {"whiten", whiten_json(spec.whiten)},
          {"decode", kDecodeNames[spec.full_decode]}};
}

}  // namespace graft
