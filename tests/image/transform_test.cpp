#include <gmock/gmock.h>
#include <torch/types.h>

#include <set>
#include <thread>

#include "graft/core/runtime.h"
#include "graft/image/color.h"
#include "graft/image/noise.h"
#include "graft/image/preprocess.h"
#include "image/augmentation.h"
#include "image/fixture.h"
#include "support/parity.h"

namespace graft {
namespace {

using test::alone;
using test::apply;
using test::kInput;
using test::read_augmentation;
using testing::HasSubstr;

/// Every transform once, and what it breaks.
struct Known {
  std::string transform;
  std::set<std::string> breaks;
};
const std::vector<Known> kKnown{
    {R"({"random_resized_crop": {}})", {"size"}},
    {R"({"random_crop": {"padding": 5, "padding_mode": "reflect"}})", {}},
    {R"({"horizontal_flip": {}})", {"handedness"}},
    {R"({"vertical_flip": {}})", {"orientation", "handedness"}},
    {R"({"random_quarter_turn": {}})", {"orientation"}},
    {R"({"random_rotation": {"degrees": 20}})", {"orientation"}},
    {R"({"random_rotation": {"degrees": 0}})", {}},
    {R"({"random_affine": {"degrees": 20, "scale": [0.5, 2]}})", {"orientation", "size"}},
    {R"({"random_affine": {"degrees": 0, "translate": [0.1, 0.2], "interpolation": "bilinear"}})", {}},
    {R"({"random_affine": {"degrees": 0, "shear": [0, 0, 5, 9]}})", {"orientation"}},
    {R"({"random_perspective": {"p": 1}})", {"orientation", "size"}},
    {R"({"elastic_transform": {}})", {"size"}},
    {R"({"color_jitter": {"brightness": 0.5}})", {"brightness"}},
    {R"({"color_jitter": {"contrast": [0.2, 3]}})", {"brightness"}},
    {R"({"color_jitter": {"saturation": 0.5}})", {"color"}},
    {R"({"color_jitter": {"hue": [-0.1, 0.5]}})", {"color"}},
    {R"({"random_gamma": {}})", {"brightness"}},
    {R"({"random_grayscale": {"p": 0.5}})", {"color"}},
    {R"({"random_posterize": {"bits": 2}})", {"brightness", "color"}},
    {R"({"random_solarize": {"threshold": 128}})", {"brightness", "color"}},
    {R"({"random_equalize": {}})", {"brightness", "color"}},
    {R"({"random_autocontrast": {}})", {"brightness", "color"}},
    {R"({"random_adjust_sharpness": {"sharpness_factor": 3}})", {}},
    {R"({"gaussian_blur": {"kernel_size": 5}})", {}},
    {R"({"pca_jitter": {}})", {"brightness", "color"}},
    {R"({"gaussian_noise": {}})", {}},
    {R"({"gaussian_noise": {"mean": 0.1}})", {"brightness"}},
    {R"({"salt_and_pepper": {}})", {}},
    {R"({"jpeg": {"quality": [5, 30]}})", {}},
    {R"({"random_erasing": {"value": "random"}})", {}},
    {R"({"trivial_augment_wide": {}})", {"orientation", "brightness", "color"}},
    {R"({"rand_augment": {}})", {"orientation", "brightness", "color"}},
};

/// The most that a transform may differ from torchvision, in grey levels and in part of the values.
test::Difference tolerance(const std::string& name) {
  if (name.ends_with("elastic_transform")) return {.largest = 1, .part = 0.4};  // torchvision rounds, Pillow truncates
  for (const char* rounded : {"gaussian_blur", "gaussian_noise", "color_jitter"})
    if (name.ends_with(rounded)) return {.largest = 1, .part = 1e-3};
  return {.largest = 0, .part = 0};
}

TEST(Transform, IsTorchvisionsDrawByDraw) {
  const test::ParityFixture tensors("image/transformed.pt");
  const auto names = tensors.cases("recipe");
  EXPECT_EQ(names.size(), 30U);
  for (const auto& name : names) {
    const Json recipe = tensors.json(name + "/recipe");
    const std::string transform = recipe.is_string() ? recipe.get<std::string>() : recipe.begin().key();
    const auto augmentation = read_augmentation(alone(recipe.dump()), kInput);
    std::uint64_t seed = 0;
    for (; tensors.has(name + "/" + std::to_string(seed) + ".image"); ++seed) {
      const std::string key = name + "/" + std::to_string(seed);
      const at::Tensor changed = apply(augmentation, tensors.at(key + ".image"), kInput, seed);
      const auto apart = test::difference(changed, tensors.at(key + ".changed"));
      EXPECT_LE(test::noted("transforms", transform, apart.largest), tolerance(name).largest)
          << key << ": " << apart.part << " of the values";
      EXPECT_LE(apart.part, tolerance(name).part) << key;
    }
    EXPECT_GE(seed, 12U) << name;
  }
}

TEST(Transform, LeavesAnImageAloneWhenNothingIsAskedOfIt) {
  const at::Tensor image = torch::randint(256, {64, 64, 3}, at::kByte);
  for (const char* transform : {R"({"horizontal_flip": {"p": 0}})",
                                R"({"vertical_flip": {"p": 0}})",
                                R"({"random_rotation": {"degrees": 0}})",
                                R"({"random_affine": {"degrees": 0, "interpolation": "bilinear"}})",
                                R"({"random_perspective": {"p": 0}})",
                                R"({"random_perspective": {"p": 1, "distortion_scale": 0}})",
                                R"({"elastic_transform": {"alpha": 0}})",
                                R"({"random_crop": {}})",
                                R"({"color_jitter": {}})",
                                R"({"random_gamma": {"gamma": 1}})",
                                R"({"random_grayscale": {"p": 0}})",
                                R"({"random_posterize": {"bits": 2, "p": 0}})",
                                R"({"random_posterize": {"bits": 8, "p": 1}})",
                                R"({"random_solarize": {"threshold": 0, "p": 0}})",
                                R"({"random_equalize": {"p": 0}})",
                                R"({"random_autocontrast": {"p": 0}})",
                                R"({"random_adjust_sharpness": {"sharpness_factor": 9, "p": 0}})",
                                R"({"random_adjust_sharpness": {"sharpness_factor": 1, "p": 1}})",
                                R"({"gaussian_blur": {"kernel_size": 1}})",
                                R"({"pca_jitter": {"sigma": 0}})",
                                R"({"gaussian_noise": {"sigma": 0}})",
                                R"({"salt_and_pepper": {"p": 0}})",
                                R"({"salt_and_pepper": {"p": 1, "amount": 0}})",
                                R"({"random_erasing": {"p": 0}})",
                                R"({"rand_augment": {"num_ops": 0}})"}) {
    const auto augmentation = read_augmentation(alone(transform), kInput);
    for (std::uint64_t seed = 0; seed < 5; ++seed)
      EXPECT_TRUE(at::equal(apply(augmentation, image, kInput, seed), image)) << transform;
  }
}

TEST(Transform, EqualSeedsGiveEqualImagesOnAnyThreadAndTheImageStays) {
  for (const auto& [transform, ignored] : kKnown) {
    const auto augmentation = read_augmentation(alone(transform), kInput);
    const at::Tensor image = torch::randint(256, {90, 60, 3}, at::kByte), before = image.clone();
    std::vector<at::Tensor> here, there(6);
    for (std::uint64_t seed = 0; seed < there.size(); ++seed) here.push_back(apply(augmentation, image, kInput, seed));
    std::thread([&] {
      const OneThreadScope one_thread;
      for (std::uint64_t seed = there.size(); seed-- > 0;) there[seed] = apply(augmentation, image, kInput, seed);
    }).join();
    for (std::size_t seed = 0; seed < here.size(); ++seed)
      EXPECT_TRUE(at::equal(here[seed], there[seed])) << transform << " " << seed;
    EXPECT_TRUE(at::equal(image, before)) << transform;
  }
}

TEST(Transform, TakesImagesOfEverySize) {
  for (const auto& [transform, ignored] : kKnown) {
    const auto augmentation = read_augmentation(alone(transform), kInput);
    for (const auto& [height, width] : {std::pair{1, 1}, {1, 40}, {40, 1}, {2, 2}, {2, 3}, {3, 2}, {200, 7}}) {
      const at::Tensor image = torch::randint(256, {height, width, 3}, at::kByte);
      for (std::uint64_t seed = 0; seed < 6; ++seed) {
        const at::Tensor changed = apply(augmentation, image, kInput, seed);
        EXPECT_EQ(changed.sizes(), (std::vector<std::int64_t>{64, 64, 3})) << transform;
        EXPECT_TRUE(changed.is_contiguous() && changed.scalar_type() == at::kByte) << transform;
      }
    }
  }
}

TEST(Transform, IsRefusedWhereItBreaksWhatIsKept) {
  for (const auto& [transform, breaks] : kKnown) {
    for (const std::string kept : {"orientation", "handedness", "size", "brightness", "color"}) {
      std::vector<Problem> problems;
      read_augmentation(alone(transform, kept), kInput, problems);
      EXPECT_EQ(problems.size(), breaks.contains(kept) ? 1U : 0U) << transform << " " << kept;
      for (const auto& problem : problems) EXPECT_THAT(problem.message(), HasSubstr("which changes " + kept));
    }
  }
}

TEST(Transform, WritesOptionsThatReadTheSame) {
  for (const auto& [transform, ignored] : kKnown) {
    const Json written = read_augmentation(alone(transform), kInput).to_json();
    EXPECT_EQ(read_augmentation(written.dump(), kInput).to_json(), written) << transform;
    const Json given = parse_json(transform, "transform"), &options = written["transforms"][0].front();
    for (const auto& [key, value] : given.front().items()) EXPECT_TRUE(options.contains(key)) << transform << key;
  }
  const Json jitter = read_augmentation(alone(R"({"color_jitter": {"brightness": 3, "hue": 0.1}})"), kInput).to_json();
  EXPECT_EQ(jitter["transforms"][0]["color_jitter"],
            parse_json(R"({"brightness": [0.0, 4.0], "contrast": [1.0, 1.0], "saturation": [1.0, 1.0],
                           "hue": [-0.1, 0.1]})",
                       "expected"));
}

TEST(Transform, NamesTheOptionThatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> mistakes{
      {R"("random_rotation")", "random_rotation.degrees: is missing"},
      {R"({"random_rotation": {"degrees": -5}})", "random_rotation.degrees: is -5"},
      {R"({"random_rotation": {"degrees": 181}})", "a number from 0 to 180, or a list of 2 numbers"},
      {R"({"random_rotation": {"degrees": [30, 10]}})", "the smaller number first"},
      {R"({"random_rotation": {"degrees": [30]}})", "random_rotation.degrees: is [30]"},
      {R"({"random_rotation": {"degrees": 9, "fill": 256}})", "random_rotation.fill"},
      {R"({"random_rotation": {"degrees": 9, "fill": [1, 2]}})", "random_rotation.fill"},
      {R"({"random_rotation": {"degrees": 9, "fill": 0.5}})", "a whole number from 0 to 255"},
      {R"({"random_rotation": {"degrees": 9, "interpolation": "bicubic"}})", "nearest, bilinear"},
      {R"("random_affine")", "random_affine.degrees: is missing"},
      {R"({"random_affine": {"degrees": 0, "shear": 90}})", "random_affine.shear"},
      {R"({"random_affine": {"degrees": 0, "shear": [1, 2, 3]}})", "random_affine.shear"},
      {R"({"random_affine": {"degrees": 0, "shear": [0, 0, 2, 1]}})", "the smaller number of each pair first"},
      {R"({"random_affine": {"degrees": 0, "scale": [0, 1]}})", "random_affine.scale"},
      {R"({"random_affine": {"degrees": 0, "translate": [0, 1.1]}})", "random_affine.translate"},
      {R"({"random_crop": {"padding": 64}})", "random_crop.padding"},
      {R"({"random_crop": {"padding_mode": "mirror"}})", "random_crop.padding_mode"},
      {R"({"color_jitter": {"hue": 0.6}})", "color_jitter.hue"},
      {R"({"color_jitter": {"brightness": [-1, 1]}})", "color_jitter.brightness"},
      {R"("random_posterize")", "random_posterize.bits: is missing"},
      {R"({"random_posterize": {"bits": 9}})", "random_posterize.bits"},
      {R"("random_solarize")", "random_solarize.threshold: is missing"},
      {R"({"random_solarize": {"threshold": 256}})", "random_solarize.threshold"},
      {R"("random_adjust_sharpness")", "random_adjust_sharpness.sharpness_factor: is missing"},
      {R"("gaussian_blur")", "gaussian_blur.kernel_size: is missing"},
      {R"({"gaussian_blur": {"kernel_size": 4}})", "an odd number"},
      {R"({"gaussian_blur": {"kernel_size": 3, "sigma": 0}})", "gaussian_blur.sigma"},
      {R"("jpeg")", "jpeg.quality: is missing"},
      {R"({"jpeg": {"quality": 0}})", "jpeg.quality"},
      {R"({"jpeg": {"quality": [50.5, 60]}})", "jpeg.quality"},
      {R"({"random_erasing": {"value": "noise"}})", "or \"random\""},
      {R"({"random_quarter_turn": {"p": 0.5}})", "no options here"},
      {R"({"rand_augment": {"magnitude": 31}})", "rand_augment.magnitude"},
      {R"({"trivial_augment_wide": {"num_magnitude_bins": 1}})", "num_magnitude_bins"}};
  for (const auto& [transform, message] : mistakes) {
    std::vector<Problem> problems;
    read_augmentation(alone(transform), kInput, problems);
    ASSERT_EQ(problems.size(), 1U) << transform;
    EXPECT_THAT(problems[0].message(), HasSubstr(message)) << transform;
  }
}

}  // namespace
}  // namespace graft
