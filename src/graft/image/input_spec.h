#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graft/core/json.h"

namespace graft {

enum class ResizeMode {
  kShorter,  ///< the shorter side to round-down(size / crop), the longer one in proportion, then a centre crop
             ///< (torchvision, timm)
  kSquash,   ///< both sides to size, proportions given up; `crop` is not used
};

enum class Interpolation { kBilinear, kBicubic };

/// Row i holds what each channel gives to channel i.
using ColorMatrix = std::array<std::array<double, 3>, 3>;

/// The recipe's "input": how pixels become what the backbone was trained on.
struct InputSpec {
  int size = 224;  ///< side of the square input, pixels
  ResizeMode resize = ResizeMode::kShorter;
  double crop = 0.875;  ///< part of the resized shorter side that the centre crop keeps, [0.1, 1]
  Interpolation interpolation = Interpolation::kBilinear;
  std::array<double, 3> mean{0.485, 0.456, 0.406};  ///< RGB, of pixels scaled to [0, 1]
  std::array<double, 3> std{0.229, 0.224, 0.225};
  std::optional<ColorMatrix> whiten{};  ///< what (pixel - mean) / std is multiplied by
  bool full_decode = false;             ///< "decode": "full" turns reduced JPEG decoding off

  /// Pixels of the shorter side after resizing and before the crop: floor(size / crop), as timm computes it;
  /// `size` itself for kSquash.
  int resized_side() const;
};

/// Which figures are "data" instead of numbers: those of the training photos, which a run puts there before it starts.
struct FiguresOfData {
  bool mean = false;
  bool std = false;
  std::string whiten{};  ///< of whitening_kinds(), which brings its own mean and takes the place of std; "" for none
};

/// Reads the keys size, resize, crop, interpolation, mean, std, whiten and decode; `fallback` stands in for absent
/// ones.
/// @param of_data  told which figures are "data"; null where none may be
InputSpec read_input_spec(JsonReader reader, const InputSpec& fallback, FiguresOfData* of_data = nullptr);
Json to_json(const InputSpec& spec);

}  // namespace graft
