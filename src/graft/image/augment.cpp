#include "graft/image/augment.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "graft/core/names.h"
#include "graft/image/preprocess.h"

namespace graft {
namespace {

/// What "keep" may declare; a transform that breaks a declared one is an error.
const std::vector<std::string> kKeepNames{"orientation", "handedness", "brightness"};

/// torchvision's RandomResizedCrop.get_params with our generator: ten tries, then the largest centre crop within the
/// ratios.
struct CropBox {
  std::int64_t top = 0, left = 0, height = 0, width = 0;
};
CropBox random_crop_box(std::int64_t height, std::int64_t width, const std::array<double, 2>& scale,
                        const std::array<double, 2>& ratio, RandomStream& random) {
  const double area = static_cast<double>(height * width);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target = area * random.uniform(scale[0], scale[1]);
    const double aspect = std::exp(random.uniform(std::log(ratio[0]), std::log(ratio[1])));
    const auto w = std::lround(std::sqrt(target * aspect));
    const auto h = std::lround(std::sqrt(target / aspect));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const auto top = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(height - h + 1)));
    const auto left = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(width - w + 1)));
    return {top, left, h, w};
  }
  const double own = static_cast<double>(width) / static_cast<double>(height);
  const double aspect = std::clamp(own, ratio[0], ratio[1]);
  const auto w = own > aspect ? std::max(1L, std::lround(static_cast<double>(height) * aspect)) : width;
  const auto h = own < aspect ? std::max(1L, std::lround(static_cast<double>(width) / aspect)) : height;
  return {(height - h) / 2, (width - w) / 2, h, w};
}

std::array<double, 2> read_interval(JsonReader& reader, const std::string& key, const std::array<double, 2>& fallback,
                                    Range range) {
  const auto values = reader.numbers(key, {fallback.begin(), fallback.end()}, range);
  if (values[0] <= values[1]) return {values[0], values[1]};
  reader.problem(key, "ends before it starts", "[low, high]");
  return fallback;
}

Transform random_resized_crop(JsonReader& reader, const InputSpec& input, Json& options) {
  const auto scale = read_interval(reader, "scale", {0.08, 1.0}, {.low = 0, .high = 1, .low_open = true});
  const auto ratio = read_interval(reader, "ratio", {3.0 / 4.0, 4.0 / 3.0}, Range::above(0));
  options = {{"scale", scale}, {"ratio", ratio}};
  return [scale, ratio, size = input.size, interpolation = input.interpolation](const at::Tensor& image,
                                                                                RandomStream& random) {
    const CropBox box = random_crop_box(image.size(0), image.size(1), scale, ratio, random);
    const at::Tensor crop = image.slice(0, box.top, box.top + box.height).slice(1, box.left, box.left + box.width);
    return resize_image(crop.contiguous(), size, size, interpolation);
  };
}

Transform horizontal_flip(JsonReader& reader, const InputSpec&, Json& options) {
  const double p = reader.number("p", 0.5, Range::between(0, 1));
  options = {{"p", p}};
  return [p](const at::Tensor& image, RandomStream& random) { return random.uniform() < p ? image.flip({1}) : image; };
}

struct TransformRow {
  std::string name;
  std::vector<std::string> breaks;  ///< names of kKeepNames
  Transform (*make)(JsonReader& reader, const InputSpec& input, Json& options);
};

const std::vector<TransformRow>& table() {
  static const std::vector<TransformRow> kTable{
      {"random_resized_crop", {}, random_resized_crop},
      {"horizontal_flip", {"orientation", "handedness"}, horizontal_flip},
  };
  return kTable;
}

std::vector<std::string> transform_names() {
  std::vector<std::string> names;
  for (const auto& row : table()) names.push_back(row.name);
  return names;
}

void check_keeps(const TransformRow& row, const std::vector<std::string>& keep, const std::string& path,
                 std::vector<Problem>& problems) {
  for (const auto& broken : row.breaks)
    if (std::find(keep.begin(), keep.end(), broken) != keep.end())
      problems.push_back({path, row.name + " breaks what \"keep\" declares (" + broken + ")", "transforms that keep it",
                          "delete the transform, or the word from \"keep\""});
}

}  // namespace

Augmentation Augmentation::read(JsonReader reader, const InputSpec& input) {
  Augmentation augmentation;
  const auto keep = reader.strings("keep", {});
  for (const auto& word : keep)
    if (std::find(kKeepNames.begin(), kKeepNames.end(), word) == kKeepNames.end())
      reader.problem("keep", "unknown word \"" + word + "\"", "any of " + join(kKeepNames),
                     did_you_mean(word, kKeepNames));
  Json written = Json::array();
  const Json* transforms = reader.member("transforms");
  if (transforms != nullptr && !transforms->is_array())
    reader.problem("transforms", "is no list", "a list of transforms");
  const std::size_t count = transforms != nullptr && transforms->is_array() ? transforms->size() : 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string path = reader.path_of("transforms[" + std::to_string(i) + "]");
    const auto named = read_named_options((*transforms)[i], path, transform_names(), reader.problems());
    if (named.name.empty()) continue;
    const auto row = std::find_if(table().begin(), table().end(), [&](const auto& r) { return r.name == named.name; });
    check_keeps(*row, keep, path, reader.problems());
    JsonReader options_reader(named.options, named.path, reader.problems());
    Json options;
    augmentation.transforms_.push_back(row->make(options_reader, input, options));
    options_reader.finish();
    written.push_back({{named.name, options}});
  }
  reader.finish();
  augmentation.json_ = {{"transforms", written}, {"keep", keep}};
  return augmentation;
}

at::Tensor Augmentation::apply(const at::Tensor& image, const InputSpec& input, RandomStream& random) const {
  at::Tensor changed = image;
  for (const auto& transform : transforms_) changed = transform(changed, random);
  if (changed.size(0) == input.size && changed.size(1) == input.size) return changed.contiguous();
  return fit_image(changed.contiguous(), input);
}

}  // namespace graft
