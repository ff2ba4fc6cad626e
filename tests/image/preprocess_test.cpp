#include "graft/image/preprocess.h"

#include <gmock/gmock.h>
#include <torch/types.h>

#include "image/fixture.h"
#include "support/parity.h"

namespace graft {
namespace {

using test::difference;

struct Filter {
  std::string name;
  Interpolation interpolation;
  int tolerance;  ///< grey levels between LibTorch and Pillow
};
const std::vector<Filter> kFilters{{"bilinear", Interpolation::kBilinear, 1}, {"bicubic", Interpolation::kBicubic, 2}};

TEST(ResizeImage, AgreesWithPillow) {
  const test::ParityFixture tensors("image/resized.pt");
  int cases = 0;
  for (int i = 0; tensors.has(std::to_string(i) + ".image"); ++i) {
    const std::string key = std::to_string(i) + ".";
    for (const auto& [name, interpolation, tolerance] : kFilters) {
      const at::Tensor& expected = tensors.at(key + name);
      const at::Tensor resized = resize_image(tensors.at(key + "image"), static_cast<int>(expected.size(0)),
                                              static_cast<int>(expected.size(1)), interpolation);
      EXPECT_TRUE(resized.is_contiguous());
      const auto apart = difference(resized, expected);
      EXPECT_LE(apart.largest, tolerance) << key << name;
      EXPECT_LT(apart.part, 0.01) << key << name;
      ++cases;
    }
  }
  EXPECT_EQ(cases, 28);
}

TEST(FitImage, AgreesWithTorchvisionOnPillowImages) {
  const std::map<std::string, InputSpec> specs{{"crop", {.size = 56}},
                                               {"whole", {.size = 56, .crop = 1}},
                                               {"squash", {.size = 56, .resize = ResizeMode::kSquash}}};
  const test::ParityFixture tensors("image/fitted.pt");
  int cases = 0;
  for (int i = 0; tensors.has(std::to_string(i) + ".image"); ++i) {
    const std::string key = std::to_string(i) + ".";
    for (auto [name, spec] : specs) {
      for (const auto& filter : kFilters) {
        spec.interpolation = filter.interpolation;
        const at::Tensor fitted = fit_image(tensors.at(key + "image"), spec);
        EXPECT_TRUE(fitted.is_contiguous());
        const auto apart = difference(fitted, tensors.at(key + name + "." + filter.name));
        EXPECT_LE(apart.largest, filter.tolerance) << key << name << "." << filter.name;
        EXPECT_LT(apart.part, 0.01) << key << name << "." << filter.name;
        ++cases;
      }
    }
  }
  EXPECT_EQ(cases, 54);
}

TEST(FitImage, AnExtremeStripIsCroppedFirst) {
  const InputSpec spec{.size = 16};
  EXPECT_EQ(resized_size(2, 64, spec).width, 18 * 32);
  EXPECT_EQ(resized_size(2, 65, spec).width, 18 * 32);
  EXPECT_EQ(resized_size(1, 1 << 20, spec).width, 18 * 32);
  EXPECT_EQ(resized_size(1 << 20, 1, spec).height, 18 * 32);
  at::Tensor strip = torch::zeros({1, 100001, 3}, at::kByte);
  strip.narrow(1, 50000 - 20, 41).fill_(200);
  EXPECT_TRUE(at::equal(fit_image(strip, spec), torch::full({16, 16, 3}, 200, at::kByte)));
  EXPECT_TRUE(at::equal(fit_image(strip.transpose(0, 1), spec), torch::full({16, 16, 3}, 200, at::kByte)));
}

TEST(NormalizeImages, AgreesWithTorchvision) {
  const test::ParityFixture tensors("image/fitted.pt");
  for (int i = 0; tensors.has(std::to_string(i) + ".image"); ++i) {
    const std::string key = std::to_string(i) + ".";
    const at::Tensor pixels = tensors.at(key + "squash.bicubic").unsqueeze(0);
    const at::Tensor normalized = normalize_images(pixels, {.size = 56});
    EXPECT_TRUE(normalized.is_contiguous(at::MemoryFormat::ChannelsLast));
    EXPECT_LT((normalized[0] - tensors.at(key + "normalized")).abs().max().item<float>(), 2e-6F);
  }
}

TEST(CenterCropOffset, RoundsHalvesToEven) {
  const std::vector<int> expected{0, 0, 1, 2, 2, 2, 3, 4, 4, 4};
  for (int spare = 0; spare < 10; ++spare)
    EXPECT_EQ(center_crop_offset(100 + spare, 100), expected[static_cast<std::size_t>(spare)]) << spare;
}

}  // namespace
}  // namespace graft
