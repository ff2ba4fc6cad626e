#include <gmock/gmock.h>
#include <torch/types.h>

#include <functional>
#include <set>
#include <sstream>

#include "graft/image/color.h"
#include "graft/image/filter.h"
#include "graft/image/geometry.h"
#include "graft/image/noise.h"
#include "image/fixture.h"
#include "support/parity.h"

namespace graft {
namespace {

using test::difference;

/// The numbers and the last word of a case's name, such as "affine 10 0 0 1 0 0 bilinear".
struct Case {
  std::string change;
  std::vector<double> numbers;
  std::string mode;

  explicit Case(const std::string& name) {
    std::istringstream words(name);
    words >> change;
    for (double number = 0; words >> number;) numbers.push_back(number);
    words.clear();
    words >> mode;
  }
  double number(std::size_t i = 0) const { return numbers.at(i); }
  int whole(std::size_t i = 0) const { return static_cast<int>(numbers.at(i)); }
  Resampling resampling() const {
    return {mode == "nearest" ? Sampling::kNearest : Sampling::kBilinear, Color{10, 200, 30}};
  }
};

at::Tensor pad_as(const at::Tensor& image, const Case& c) {
  const std::map<std::string, PaddingMode> modes{{"constant", PaddingMode::kConstant},
                                                 {"edge", PaddingMode::kEdge},
                                                 {"reflect", PaddingMode::kReflect},
                                                 {"symmetric", PaddingMode::kSymmetric}};
  return pad(image, c.whole(), modes.at(c.mode), {10, 200, 30});
}

at::Tensor affine_as(const at::Tensor& image, const Case& c) {
  return affine(image,
                {.degrees = c.number(0),
                 .translate = {c.number(1), c.number(2)},
                 .scale = c.number(3),
                 .shear = {c.number(4), c.number(5)}},
                c.resampling());
}

at::Tensor perspective_as(const at::Tensor& image, const Case& c) {
  Corners corners{};
  for (std::size_t i = 0; i < 8; ++i) corners[i / 2][i % 2] = c.number(i);
  return perspective(image, corners, c.resampling());
}

using Change = std::function<at::Tensor(const at::Tensor&, const Case&)>;
const std::map<std::string, Change> kChanges{
    {"rotate", [](auto& image, auto& c) { return rotate(image, c.number(), c.resampling()); }},
    {"affine", affine_as},
    {"perspective", perspective_as},
    {"pad", pad_as},
    {"brightness", [](auto& image, auto& c) { return adjust_brightness(image, c.number()); }},
    {"contrast", [](auto& image, auto& c) { return adjust_contrast(image, c.number()); }},
    {"saturation", [](auto& image, auto& c) { return adjust_saturation(image, c.number()); }},
    {"sharpness", [](auto& image, auto& c) { return adjust_sharpness(image, c.number()); }},
    {"hue", [](auto& image, auto& c) { return adjust_hue(image, c.number()); }},
    {"gamma", [](auto& image, auto& c) { return adjust_gamma(image, c.number()); }},
    {"grayscale", [](auto& image, auto&) { return to_grayscale(image); }},
    {"posterize", [](auto& image, auto& c) { return posterize(image, c.whole()); }},
    {"solarize", [](auto& image, auto& c) { return solarize(image, c.number()); }},
    {"equalize", [](auto& image, auto&) { return equalize(image); }},
    {"autocontrast", [](auto& image, auto&) { return autocontrast(image); }},
    {"blur", [](auto& image, auto& c) { return gaussian_blur(image, c.whole(), c.number(1)); }},
    {"components",
     [](auto& image, auto& c) {
       return shift_along_components(image, {c.number(0), c.number(1), c.number(2)});
     }},
    {"jpeg", [](auto& image, auto& c) { return jpeg(image, c.whole()); }},
};

/// Sums of many numbers, whose rounding depends on their order.
const std::set<std::string> kRounded{"blur", "hue", "rotate"};

/// Transforms of which torchvision has the change and not the draw.
const std::map<std::string, std::string> kTransforms{{"gamma", "random_gamma"}, {"jpeg", "jpeg"}};

TEST(ImageChange, AgreesWithTorchvision) {
  const test::ParityFixture tensors("image/changed.pt");
  int cases = 0;
  for (const std::string photo : {"photo", "few levels"}) {
    const at::Tensor& image = tensors.at(photo + "/image");
    for (const auto& name : tensors.names()) {
      if (!name.starts_with(photo + "/") || name.ends_with("/image")) continue;
      const Case c(name.substr(photo.size() + 1));
      const at::Tensor before = image.clone(), changed = kChanges.at(c.change)(image, c);
      const auto apart = difference(changed, tensors.at(name));
      if (kTransforms.contains(c.change)) test::noted("transforms", kTransforms.at(c.change), apart.largest);
      EXPECT_LE(apart.largest, kRounded.contains(c.change) ? 1 : 0) << name << ": " << apart.part << " of the values";
      EXPECT_LT(apart.part, 5e-3) << name;
      EXPECT_TRUE(changed.is_contiguous()) << name;
      EXPECT_TRUE(at::equal(image, before)) << name;
      ++cases;
    }
  }
  EXPECT_EQ(cases, 180);
}

TEST(ImageChange, PerspectiveNeedsCornersThatAreNotInLine) {
  const at::Tensor image = torch::randint(256, {64, 64, 3}, at::kByte);
  EXPECT_TRUE(at::equal(perspective(image, {{{26, 7}, {37, 18}, {62, 43}, {25, 48}}}, {}), image));
  EXPECT_TRUE(at::equal(perspective(image, {{{5, 5}, {5, 5}, {60, 60}, {5, 60}}}, {}), image));
  EXPECT_FALSE(at::equal(perspective(image, {{{5, 5}, {60, 5}, {60, 60}, {5, 60}}}, {}), image));
}

TEST(ImageChange, ElasticTransformTakesPixelsFromTheirDisplacement) {
  const at::Tensor image = torch::randint(256, {5, 9, 3}, at::kByte);
  at::Tensor displacement = torch::zeros({5, 9, 2});
  displacement.select(2, 0).fill_(2);
  displacement.select(2, 1).fill_(-1);
  const at::Tensor moved = elastic_transform(image, displacement, {Sampling::kBilinear, {1, 2, 3}});
  at::Tensor expected = torch::tensor({1, 2, 3}, at::kByte).expand({5, 9, 3}).clone();
  expected.slice(0, 1).slice(1, 0, 7).copy_(image.slice(0, 0, 4).slice(1, 2));
  EXPECT_TRUE(at::equal(moved, expected));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const at::Tensor outside = elastic_transform(image, torch::full({5, 9, 2}, nan, at::kFloat), {});
  EXPECT_TRUE(at::equal(outside, torch::zeros_like(image)));
}

TEST(DrawNormal, HasTheMomentsOfTheNormalDistribution) {
  RandomStream random(3);
  at::Tensor numbers = torch::empty({200001});
  draw_normal({numbers.data_ptr<float>(), 200001}, random);
  const at::Tensor exact = numbers.to(at::kDouble);
  for (const auto& [power, moment, error] : {std::tuple{1, 0.0, 0.01}, {2, 1.0, 0.015}, {3, 0.0, 0.04}, {4, 3.0, 0.1}})
    EXPECT_NEAR(exact.pow(power).mean().item<double>(), moment, error) << power;
  EXPECT_LT((exact.slice(0, 0, 200000, 2) * exact.slice(0, 1, 200001, 2)).mean().abs().item<double>(), 0.01);
}

TEST(SaltAndPepper, MakesItsPartOfThePixelsBlackOrWhite) {
  const at::Tensor image = torch::full({300, 200, 3}, 100, at::kByte);
  RandomStream random(4);
  const at::Tensor changed = salt_and_pepper(image, 0.1, random);
  for (const int level : {0, 255}) {
    const at::Tensor found = changed.eq(level);
    EXPECT_TRUE(at::equal(found.any(2), found.all(2)));
    const double apart = std::abs(found.to(at::kDouble).mean().item<double>() - 0.05);
    EXPECT_LT(test::noted("transforms", "salt_and_pepper", apart), 0.005) << level;
  }
  EXPECT_EQ((changed.ne(0) & changed.ne(255) & changed.ne(100)).sum().item<int>(), 0);
}

}  // namespace
}  // namespace graft
