#include "graft/image/augment.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "graft/core/names.h"
#include "graft/image/preprocess.h"

namespace graft {
namespace {

std::array<double, 2> read_interval(JsonReader& reader, const std::string& key, const std::array<double, 2>& fallback,
                                    Range range) {
  const auto values = reader.numbers(key, {fallback.begin(), fallback.end()}, range);
  if (values.at(0) <= values.at(1)) return {values.at(0), values.at(1)};
  reader.problem(key, "is " + Json(values).dump(), "the smaller number first");
  return fallback;
}

/// A transform as read from its options, which `options` gives back with the defaults filled in.
struct ReadTransform {
  Transform transform;
  Json options;
};

ReadTransform read_random_resized_crop(JsonReader& reader, const InputSpec& input) {
  const auto scale = read_interval(reader, "scale", {0.08, 1.0}, {.low = 0, .high = 1, .low_open = true});
  const auto ratio = read_interval(reader, "ratio", {3.0 / 4, 4.0 / 3}, Range::between(0.01, 100));
  auto transform = [scale, ratio, input](const at::Tensor& image, RandomStream& random) {
    const CropBox box =
        random_crop_box(static_cast<int>(image.size(0)), static_cast<int>(image.size(1)), scale, ratio, random);
    const at::Tensor part = image.narrow(0, box.top, box.height).narrow(1, box.left, box.width);
    return resize_image(part, input.size, input.size, input.interpolation);
  };
  return {std::move(transform), {{"scale", scale}, {"ratio", ratio}}};
}

ReadTransform read_horizontal_flip(JsonReader& reader, const InputSpec&) {
  const double p = reader.number("p", 0.5, Range::between(0, 1));
  auto transform = [p](const at::Tensor& image, RandomStream& random) {
    return random.uniform() < p ? image.flip({1}) : image;
  };
  return {std::move(transform), {{"p", p}}};
}

/// Every transform that a recipe can name.
struct KnownTransform {
  const char* name;
  std::vector<std::string> breaks;  ///< what it changes of that which "keep" can declare
  bool fits;                        ///< whether its result has the input size
  ReadTransform (*read)(JsonReader&, const InputSpec&);
};
const std::vector<KnownTransform> kTransforms{
    {"random_resized_crop", {"size"}, true, read_random_resized_crop},
    {"horizontal_flip", {"handedness"}, false, read_horizontal_flip},
};
const std::vector<std::string> kKeepNames{"orientation", "handedness", "size", "brightness", "color"};

std::vector<std::string> transform_names() {
  std::vector<std::string> names;
  for (const auto& known : kTransforms) names.emplace_back(known.name);
  return names;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> read_keep(JsonReader& reader) {
  auto keep = reader.strings("keep", {});
  for (const auto& name : keep)
    if (!contains(kKeepNames, name))
      reader.problem("keep", "holds '" + name + "'", "some of " + join(kKeepNames), did_you_mean(name, kKeepNames));
  return keep;
}

}  // namespace

CropBox random_crop_box(int height, int width, const std::array<double, 2>& scale, const std::array<double, 2>& ratio,
                        RandomStream& random) {
  constexpr int kAttempts = 10;
  const double area = static_cast<double>(height) * width;
  for (int i = 0; i < kAttempts; ++i) {
    const double target = area * random.uniform(scale[0], scale[1]);
    const double aspect = std::exp(random.uniform(std::log(ratio[0]), std::log(ratio[1])));
    // nearbyint rounds halves to even, as Python does.
    const double w = std::nearbyint(std::sqrt(target * aspect)), h = std::nearbyint(std::sqrt(target / aspect));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    CropBox box{.height = static_cast<int>(h), .width = static_cast<int>(w)};
    box.top = static_cast<int>(random.below(static_cast<std::uint64_t>(height - box.height) + 1));
    box.left = static_cast<int>(random.below(static_cast<std::uint64_t>(width - box.width) + 1));
    return box;
  }
  CropBox box{.height = height, .width = width};
  const double found = static_cast<double>(width) / height;
  if (found < ratio[0]) box.height = std::max(1, static_cast<int>(std::nearbyint(width / ratio[0])));
  if (found > ratio[1]) box.width = std::max(1, static_cast<int>(std::nearbyint(height * ratio[1])));
  box.top = (height - box.height) / 2;
  box.left = (width - box.width) / 2;
  return box;
}

Augmentation Augmentation::read(JsonReader reader, const InputSpec& input) {
  Augmentation augmentation;
  const auto keep = read_keep(reader);
  augmentation.json_ = {{"transforms", Json::array()}, {"keep", keep}};
  const Json* list = reader.member("transforms");
  if (list != nullptr && !list->is_array()) reader.problem("transforms", "is " + list->dump(), "a list of transforms");
  for (std::size_t i = 0; list != nullptr && list->is_array() && i < list->size(); ++i) {
    const std::string path = reader.path_of("transforms[" + std::to_string(i) + "]");
    const auto named = read_named_options(list->at(i), path, transform_names(), reader.problems());
    for (const auto& known : kTransforms) {
      if (named.name != known.name) continue;
      for (const auto& broken : known.breaks)
        if (contains(keep, broken))
          reader.problems().push_back({path, "is " + named.name + ", which changes " + broken,
                                       "a transform that keeps it", "drop it, or drop '" + broken + "' from keep"});
      JsonReader options(named.options, named.path, reader.problems());
      ReadTransform read = known.read(options, input);
      options.finish();
      augmentation.transforms_.push_back(std::move(read.transform));
      augmentation.json_["transforms"].push_back(Json{{named.name, std::move(read.options)}});
      augmentation.fits_ = augmentation.fits_ || known.fits;
    }
  }
  reader.finish();
  return augmentation;
}

at::Tensor Augmentation::apply(const at::Tensor& image, const InputSpec& input, RandomStream& random) const {
  at::Tensor changed = image;
  for (const auto& transform : transforms_) changed = transform(changed, random);
  return fits_ ? changed : fit_image(changed, input);
}

}  // namespace graft
