#include "graft/image/averaged_views.h"

#include <ATen/Functions.h>

#include <algorithm>

#include "graft/core/error.h"
#include "graft/core/names.h"
#include "graft/image/preprocess.h"

namespace graft {
namespace {

using Images = std::vector<at::Tensor>;  // uint8 [S, S, 3] each

at::Tensor flipped(const at::Tensor& image, int side) { return image.flip(at::IntArrayRef{side}); }

Images plain(const at::Tensor& image, const InputSpec& spec) { return {fit_image(image, spec)}; }

Images hflip(const at::Tensor& image, const InputSpec& spec) {
  const at::Tensor fitted = fit_image(image, spec);
  return {fitted, flipped(fitted, 1)};
}

Images flips(const at::Tensor& image, const InputSpec& spec) {
  const at::Tensor fitted = fit_image(image, spec), upside_down = flipped(fitted, 0);
  return {fitted, flipped(fitted, 1), upside_down, flipped(upside_down, 1)};
}

/// Top left, top right, bottom left, bottom right, centre.
Images corners(const at::Tensor& resized, int size) {
  const auto bottom = resized.size(0) - size, right = resized.size(1) - size;
  const auto crop = [&](std::int64_t y, std::int64_t x) { return resized.narrow(0, y, size).narrow(1, x, size); };
  return {crop(0, 0), crop(0, right), crop(bottom, 0), crop(bottom, right),
          crop(center_crop_offset(static_cast<int>(resized.size(0)), size),
               center_crop_offset(static_cast<int>(resized.size(1)), size))};
}

Images five_crop(const at::Tensor& image, const InputSpec& spec) {
  return corners(resize_to_crop(image, spec), spec.size);
}

Images ten_crop(const at::Tensor& image, const InputSpec& spec) {
  const at::Tensor resized = resize_to_crop(image, spec);
  Images crops = corners(resized, spec.size);
  for (auto& crop : corners(flipped(resized, 1), spec.size)) crops.push_back(std::move(crop));
  return crops;
}

struct Row {
  std::string name;
  Images (*views)(const at::Tensor& image, const InputSpec& spec);
  bool crops = false;
};

const std::vector<Row>& table() {
  static const std::vector<Row> kRows{{"none", plain},
                                      {"hflip", hflip},
                                      {"flips", flips},
                                      {.name = "five_crop", .views = five_crop, .crops = true},
                                      {.name = "ten_crop", .views = ten_crop, .crops = true}};
  return kRows;
}

const Row& views_row(const std::string& name) {
  const auto row = std::ranges::find(table(), name, &Row::name);
  if (row == table().end())
    throw Error({"views '" + name + "'", "are unknown", "one of " + join(averaged_view_names()),
                 did_you_mean(name, averaged_view_names())});
  return *row;
}

}  // namespace

const std::vector<std::string>& averaged_view_names() {
  static const std::vector<std::string> kNames = names_of(table());
  return kNames;
}

void check_averaged_views(const std::string& name, const InputSpec& spec) {
  if (views_row(name).crops && spec.resize == ResizeMode::kSquash)
    throw Error({"views '" + name + "'", "are crops, and the model's input.resize is \"squash\"",
                 "views of the whole image", "hflip or flips"});
}

at::Tensor averaged_views(const at::Tensor& image, const InputSpec& spec, const std::string& name) {
  return at::stack(views_row(name).views(image, spec));
}

}  // namespace graft
