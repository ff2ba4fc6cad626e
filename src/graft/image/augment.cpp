#include "graft/image/augment.h"

#include <algorithm>

#include "graft/core/error.h"
#include "graft/core/names.h"
#include "graft/image/preprocess.h"
#include "graft/image/transform.h"

namespace graft {
namespace {

/// In the order of Property.
const std::vector<std::string> kPropertyNames{"orientation", "handedness", "size", "brightness", "color"};

const std::vector<TransformRow>& known_transforms() {
  static const std::vector<TransformRow> kRows = [] {
    std::vector<TransformRow> rows;
    for (auto family : {geometry_transforms, color_transforms, noise_transforms, policy_transforms})
      for (auto& row : family()) rows.push_back(std::move(row));
    return rows;
  }();
  return kRows;
}

const TransformRow& transform_row(const std::string& name) {
  return *std::ranges::find(known_transforms(), name, &TransformRow::name);
}

}  // namespace

std::vector<std::string> transform_names() { return names_of(known_transforms()); }

Augmentation Augmentation::read(JsonReader reader, const InputSpec& input) {
  Augmentation augmentation;
  const auto keep = reader.choices("keep", kPropertyNames);
  augmentation.json_ = {{"transforms", Json::array()}, {"keep", keep}};
  auto& problems = reader.problems();
  const auto read_transform = [&](const Json& value, const std::string& path) {
    read_named(value, path, transform_names(), problems, [&](const std::string& name, JsonReader& object) {
      TransformOptions options(object);
      ReadTransform read = transform_row(name).read(options, input);
      for (const Property broken : read.breaks) {
        const std::string& property = kPropertyNames[static_cast<std::size_t>(broken)];
        if (contains(keep, property))
          problems.push_back({path, "is " + name + ", which changes " + property, "a transform that keeps it",
                              "drop it, or drop '" + property + "' from keep"});
      }
      augmentation.transforms_.push_back(std::move(read.transform));
      augmentation.json_["transforms"].push_back(Json{{name, options.json()}});
      augmentation.fits_ = augmentation.fits_ || read.fits;
    });
  };
  if (const Json* list = reader.member("transforms"))
    read_items(*list, reader.path_of("transforms"), 0, "a list of transforms", problems, read_transform);
  reader.finish();
  return augmentation;
}

Augmentation Augmentation::read(const Json& json, const InputSpec& input) {
  std::vector<Problem> problems;
  Augmentation augmentation = read(JsonReader(json, "data.augment", problems), input);
  if (!problems.empty()) throw Error(problems);
  return augmentation;
}

at::Tensor Augmentation::apply(const at::Tensor& image, const InputSpec& input, RandomStream& random) const {
  at::Tensor changed = image;
  for (const auto& transform : transforms_) changed = transform(changed, random);
  return fits_ ? changed : fit_image(changed, input);
}

}  // namespace graft
