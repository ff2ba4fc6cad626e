#include "graft/train/pixel_statistics.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "graft/core/error.h"
#include "graft/image/png_file.h"
#include "graft/image/preprocess.h"
#include "support/parity.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

Dataset dataset_of(const at::Tensor& photos, const std::filesystem::path& folder) {
  Dataset dataset;
  for (std::int64_t i = 0; i < photos.size(0); ++i) {
    dataset.samples.push_back({.path = (folder / (std::to_string(i) + ".png")).string(), .split = Split::kTrain});
    write_png(photos[i], dataset.samples.back().path);
  }
  return dataset;
}

InputSpec resolved(const Dataset& dataset, const FiguresOfData& of_data) {
  Recipe recipe;
  recipe.input = {.size = 16, .crop = 1};
  recipe.of_data = of_data;
  resolve_input(recipe, dataset, 2, [](const std::string&) {});
  return recipe.input;
}

at::Tensor numbers(const std::array<double, 3>& values) {
  return at::tensor(at::ArrayRef<double>(values), at::kDouble);
}

/// What the network sees of photos, a row a pixel.
at::Tensor seen(const at::Tensor& photos, const InputSpec& input) {
  return normalize_images(photos, input).permute({0, 2, 3, 1}).reshape({-1, 3}).to(at::kDouble);
}

TEST(PixelStatistics, AreNumpysAndWhitenAsScikitLearnAndTheFormula) {
  const test::ParityFixture reference("train/pixels.pt");
  const at::Tensor photos = reference.at("photos");
  const test::TemporaryFolder folder;
  const Dataset dataset = dataset_of(photos, folder / "");
  const InputSpec plain = resolved(dataset, {.mean = true, .std = true});
  EXPECT_LT(test::noted("input", "mean", test::relative_error(numbers(plain.mean), reference.at("mean"))), 1e-14);
  EXPECT_LT(test::noted("input", "std", test::relative_error(numbers(plain.std), reference.at("std"))), 1e-14);
  EXPECT_FALSE(plain.whiten);
  for (const std::string kind : {"pca", "zca"}) {
    const at::Tensor white = seen(photos, resolved(dataset, {.whiten = kind}));
    EXPECT_LT(test::noted("input", kind, test::relative_error(white, reference.at(kind))), 1e-5) << kind;
    EXPECT_TRUE(at::allclose(at::cov(white.t()), at::eye(3, at::kDouble), 0, 1e-2)) << kind;
  }
}

TEST(PixelStatistics, PhotosOfOneColorAreAnErrorForStdAndNoneForWhitening) {
  const test::TemporaryFolder folder;
  const at::Tensor photos = at::full({2, 16, 16, 3}, 37, at::kByte);
  const Dataset dataset = dataset_of(photos, folder / "");
  EXPECT_THROW(resolved(dataset, {.std = true}), Error);
  EXPECT_LT(seen(photos, resolved(dataset, {.whiten = "zca"})).abs().max().item<double>(), 1e-3);
}

}  // namespace
}  // namespace graft
