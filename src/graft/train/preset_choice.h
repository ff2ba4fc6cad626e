#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graft/data/dataset.h"
#include "graft/train/trainer.h"

namespace graft {

/// A preset, and in one line why it is the one.
struct PresetChoice {
  std::string name;
  std::string reason;
};

/// What decides a preset.
struct PresetFacts {
  std::int64_t images = 0;  ///< that train
  std::int64_t looked_at = 0;
  double accuracy = 0;  ///< of a linear classifier on the backbone's features, each image judged by a fit without it
  double chance = 0;    ///< of the commonest class
};

/// Whether images of so many decide a preset by their number alone.
std::optional<PresetChoice> preset_by_size(std::int64_t images);
PresetChoice preset_by_facts(const PresetFacts& facts);

/// The part of labelled images that a ridge regression on the backbone's features tells right, each judged by a fit
/// without it. @param spec  its backbone and input are taken
double linear_look(const RunSpec& spec, const Samples& samples);

/// Chooses the preset of a run ("auto"): by the number of its training images, and, where that does not decide, by how
/// far they lie from what the backbone knows: a linear look at a few hundred of them.
/// @param spec  of any preset; its data, split, backbone and input are taken
PresetChoice choose_preset(const RunSpec& spec);

}  // namespace graft
