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

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> read_keep(JsonReader& reader) {
  auto keep = reader.strings("keep", {});
  for (const auto& name : keep)
    if (!contains(kPropertyNames, name))
      reader.problem("keep", "holds '" + name + "'", "some of " + join(kPropertyNames),
                     did_you_mean(name, kPropertyNames));
  return keep;
}

}  // namespace

std::vector<std::string> transform_names() { return names_of(known_transforms()); }

Augmentation Augmentation::read(JsonReader reader, const InputSpec& input) {
  Augmentation augmentation;
  const auto keep = read_keep(reader);
  augmentation.json_ = {{"transforms", Json::array()}, {"keep", keep}};
  const Json* list = reader.member("transforms");
  if (list != nullptr && !list->is_array()) reader.problem("transforms", "is " + list->dump(), "a list of transforms");
  for (std::size_t i = 0; list != nullptr && list->is_array() && i < list->size(); ++i) {
    const std::string path = reader.path_of("transforms[" + std::to_string(i) + "]");
    const auto named = read_named_options(list->at(i), path, transform_names(), reader.problems());
    for (const auto& row : known_transforms()) {
      if (named.name != row.name) continue;
      TransformOptions options(JsonReader(named.options, named.path, reader.problems()));
      ReadTransform read = row.read(options, input);
      options.finish();
      for (const Property broken : read.breaks) {
        const std::string& property = kPropertyNames[static_cast<std::size_t>(broken)];
        if (contains(keep, property))
          reader.problems().push_back({path, "is " + named.name + ", which changes " + property,
                                       "a transform that keeps it", "drop it, or drop '" + property + "' from keep"});
      }
      augmentation.transforms_.push_back(std::move(read.transform));
      augmentation.json_["transforms"].push_back(Json{{named.name, options.json()}});
      augmentation.fits_ = augmentation.fits_ || read.fits;
    }
  }
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
