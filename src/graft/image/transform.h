#pragma once
#include <string>
#include <vector>

#include "graft/image/augment.h"
#include "graft/image/transform_options.h"

namespace graft {

/// What a recipe's "keep" can declare that classes depend on.
enum class Property { kOrientation, kHandedness, kSize, kBrightness, kColor };

/// A transform made of its options.
struct ReadTransform {
  Transform transform;
  std::vector<Property> breaks{};  ///< what it changes, with these options
  bool fits = false;               ///< whether its result has the input size
};

/// A transform that a recipe can name.
struct TransformRow {
  std::string name;
  ReadTransform (*read)(TransformOptions& options, const InputSpec& input);
};

/// Every transform, by what it changes. Names, options, defaults and the order of random draws are torchvision's where
/// it has the transform.
std::vector<TransformRow> geometry_transforms();
std::vector<TransformRow> color_transforms();
std::vector<TransformRow> noise_transforms();
std::vector<TransformRow> policy_transforms();
std::vector<std::string> transform_names();

/// Does `change(image)` at probability `p`.
template <typename Change>
Transform at_probability(double p, Change change) {
  return [p, change](const at::Tensor& image, RandomStream& random) {
    return random.uniform() < p ? change(image) : image;
  };
}

inline double draw(const Interval& interval, RandomStream& random) { return random.uniform(interval[0], interval[1]); }

}  // namespace graft
