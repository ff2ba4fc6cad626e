#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "graft/artifact/predictor.h"
#include "graft/data/audit.h"
#include "graft/image/input_spec.h"

namespace graft {

/// How often a transform makes photos of one class look like another to a model.
struct Confusion {
  std::int64_t label = 0;  ///< indices of the model's classes
  std::int64_t as = 0;
  std::int64_t photos = 0;  ///< right as they are, and taken for `as` once transformed
  double share = 0;         ///< `photos` of all of the class that are right as they are
  double baseline = 0;      ///< the same share after a change that no class depends on: a JPEG of quality 75
};

/// A training photo, right as it is and transformed into another class.
struct ConfusedPhoto {
  std::size_t sample = 0;  ///< index of the samples
  std::int64_t as = 0;
  double probability = 0;  ///< of `as`
};

/// What one transform of a recipe does to the training photos.
struct TransformAudit {
  Json transform;                     ///< as it was done: with "p" 1, where it has one
  std::vector<Confusion> confusions;  ///< those that are above their baseline most first
  std::vector<ConfusedPhoto> photos;  ///< most certain first
  std::string name() const { return transform.begin().key(); }
  /// Whether a class looks like another in a tenth of its photos more than the baseline, and in three at least.
  bool harmful() const;
};

/// The transforms of {"transforms": […]}, a recipe's data.augment, each alone.
/// @throws Error when one is not as docs/recipe.md has it, or there is none.
std::vector<Json> planned_transforms(const Json& augment, const InputSpec& input);

/// Asks a model about photos as they are and after each transform alone, made to happen and drawn once a photo.
/// @param samples   labels index the model's classes; not empty
/// @param progress  called with the number of answers and how many there will be; may be empty
std::vector<TransformAudit> audit_transforms(const Predictor& predictor, const Samples& samples,
                                             const std::vector<Json>& transforms, int workers,
                                             const std::function<void(std::size_t, std::size_t)>& progress);

/// "vertical_flip: 31 % of 'p' look like 'd' (JPEG alone: 1 %)".
Finding finding_of(const TransformAudit& audit, const Samples& samples, const std::vector<std::string>& classes);
/// {"transform", "confusions": [{"class", "as", "photos", "share", "baseline"}]}
Json to_json(const TransformAudit& audit, const std::vector<std::string>& classes);

/// Writes a PNG of the photos that the model is most certain of, at most a dozen: each as the network sees it, beside
/// what the transform makes of it.
/// @param path  in a folder that is there
/// @throws Error when it cannot be written, or the transform confuses nothing
void write_sheet(const TransformAudit& audit, const Samples& samples, const InputSpec& input,
                 const std::filesystem::path& path);

}  // namespace graft
