#include <gmock/gmock.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>

#include "graft/image/preprocess.h"
#include "image/fixture.h"
#include "support/parity.h"

namespace graft {
namespace {

torch::jit::Module module_of(const std::string& source) {
  torch::jit::Module module("__torch__.Preprocess");
  module.define(source);
  return module;
}

at::Tensor run(torch::jit::Module module, const at::Tensor& images) {
  return module.run_method("preprocess", images).toTensor();
}

std::vector<InputSpec> specs() {
  std::vector<InputSpec> all{{.size = 56}, {.size = 57, .crop = 1}, {.size = 56, .resize = ResizeMode::kSquash}};
  all.push_back({.size = 33, .crop = 0.9, .mean = {0.5, 0, 1.0 / 3}, .std = {0.1, 1, 1e-5}});
  all.push_back({.size = 40, .whiten = ColorMatrix{{{2, -1, 0.25}, {0.5, 3, -1}, {-0.125, 1, 1.5}}}});
  for (std::size_t i = 0, count = all.size(); i < count; ++i) {
    all.push_back(all[i]);
    all.back().interpolation = Interpolation::kBicubic;
  }
  return all;
}

std::vector<at::Tensor> pictures() {
  std::vector<at::Tensor> images;
  const test::ParityFixture tensors("image/fitted.pt");
  for (int i = 0; tensors.has(std::to_string(i) + ".image"); ++i)
    images.push_back(tensors.at(std::to_string(i) + ".image"));
  images.push_back(torch::randint(256, {1, 700, 3}, at::kByte));
  images.push_back(torch::randint(256, {700, 2, 3}, at::kByte));
  return images;
}

TEST(PreprocessSource, ComputesFitAndNormalizeBitForBit) {
  const auto images = pictures();
  for (const auto& spec : specs()) {
    const auto module = module_of(preprocess_source(spec));
    for (const auto& image : images) {
      const at::Tensor expected = normalize_images(fit_image(image, spec).unsqueeze(0), spec);
      const at::Tensor found = run(module, image.unsqueeze(0));
      EXPECT_TRUE(at::equal(found, expected)) << to_json(spec).dump() << image.sizes();
      EXPECT_TRUE(found.is_contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
}

TEST(PreprocessSource, ABatchEqualsItsImagesOneByOne) {
  for (const auto& spec : specs()) {
    const auto module = module_of(preprocess_source(spec));
    for (const auto& image : pictures()) {
      const at::Tensor batch = at::stack({image, image.flip({0}), image.flip({1})});
      const at::Tensor all = run(module, batch);
      for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(at::equal(all[i], run(module, batch.narrow(0, i, 1))[0])) << to_json(spec).dump() << image.sizes();
    }
  }
}

TEST(PreprocessSource, TakesANonContiguousView) {
  const InputSpec spec{.size = 32};
  const at::Tensor image = torch::randint(256, {60, 50, 3}, at::kByte);
  const at::Tensor turned = image.transpose(0, 1);
  EXPECT_TRUE(at::equal(run(module_of(preprocess_source(spec)), turned.unsqueeze(0)),
                        normalize_images(fit_image(turned.contiguous(), spec).unsqueeze(0), spec)));
}

TEST(PreprocessSource, TheFloatPathOfCudaStaysWithinAGreyLevelOrTwo) {
  for (const auto& spec : specs()) {
    std::string source = preprocess_source(spec);
    for (auto at = source.find("images.is_cuda"); at != std::string::npos; at = source.find("images.is_cuda"))
      source.replace(at, 14, "True");
    const auto module = module_of(source);
    const double most_of_matrix = spec.whiten ? tensor_of(*spec.whiten).abs().sum(1).max().item<double>() : 1;
    const double level = most_of_matrix / (255 * *std::min_element(spec.std.begin(), spec.std.end()));
    const double most = spec.interpolation == Interpolation::kBicubic ? 2.01 * level : 1.01 * level;
    for (const auto& image : pictures()) {
      const at::Tensor expected = normalize_images(fit_image(image, spec).unsqueeze(0), spec);
      const at::Tensor found = run(module, image.unsqueeze(0));
      EXPECT_LE((found - expected).abs().max().item<double>(), most) << to_json(spec).dump() << image.sizes();
    }
  }
}

TEST(PreprocessSource, RaisesOnWhatIsNoBatchOfPixels) {
  const auto module = module_of(preprocess_source({.size = 32}));
  const auto reason = [&](const at::Tensor& images) -> std::string {
    try {
      run(module, images);
    } catch (const std::exception& error) {
      return error.what();
    }
    return "ran";
  };
  EXPECT_THAT(reason(torch::zeros({2, 40, 40, 3})), testing::HasSubstr("expected uint8 (dtype number 0) [N, H, W, 3]"));
  EXPECT_THAT(reason(torch::zeros({40, 40, 3}, at::kByte)), testing::HasSubstr("found a tensor [40, 40, 3]"));
  EXPECT_THAT(reason(torch::zeros({2, 3, 40, 40}, at::kByte)), testing::HasSubstr("[2, 3, 40, 40]"));
  EXPECT_THAT(reason(torch::zeros({2, 0, 40, 3}, at::kByte)), testing::HasSubstr("[2, 0, 40, 3]"));
  EXPECT_EQ(reason(torch::zeros({2, 40, 40, 3}, at::kByte)), "ran");
}

}  // namespace
}  // namespace graft
