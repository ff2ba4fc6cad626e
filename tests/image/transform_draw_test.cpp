#include <gmock/gmock.h>
#include <torch/types.h>

#include <set>

#include "graft/image/color.h"
#include "graft/image/noise.h"
#include "graft/image/preprocess.h"
#include "image/augmentation.h"

namespace graft {
namespace {

using test::alone;
using test::apply;
using test::kInput;
using test::read_augmentation;

TEST(RandomCrop, CutsTheImageThatIsResizedAsForEvaluation) {
  const InputSpec input{.size = 32, .crop = 0.8};
  const auto augmentation = read_augmentation(alone(R"("random_crop")"), input);
  const at::Tensor image = torch::randint(256, {50, 90, 3}, at::kByte);
  const at::Tensor resized = resize_to_crop(image, input);
  EXPECT_EQ(resized.sizes(), (std::vector<std::int64_t>{40, 72, 3}));
  std::set<int> tops, lefts;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    RandomStream random(seed);
    const auto top = static_cast<int>(random.below(9)), left = static_cast<int>(random.below(41));
    const at::Tensor expected = resized.narrow(0, top, 32).narrow(1, left, 32);
    ASSERT_TRUE(at::equal(apply(augmentation, image, input, seed), expected)) << seed;
    tops.insert(top);
    lefts.insert(left);
  }
  EXPECT_EQ(tops.size(), 9U);
  EXPECT_EQ(lefts.size(), 41U);
}

TEST(RandomErasing, FillsWithNoiseOfTheInputsMeanAndDeviation) {
  const InputSpec input{.size = 64, .crop = 1, .mean = {0.3, 0.5, 0.6}, .std = {0.05, 0.1, 0.02}};
  const auto augmentation = read_augmentation(
      alone(R"({"random_erasing": {"p": 1, "scale": [0.3, 0.6], "ratio": [1, 1], "value": "random"}})"), input);
  const at::Tensor image = torch::zeros({64, 64, 3}, at::kByte);
  std::vector<at::Tensor> erased;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const at::Tensor changed = apply(augmentation, image, input, seed);
    const at::Tensor found = changed.select(2, 1).ne(0);
    EXPECT_NEAR(found.to(at::kDouble).mean().item<double>(), 0.45, 0.17) << seed;
    erased.push_back(changed.reshape({-1, 3}).index({found.flatten()}).to(at::kDouble).div(255));
  }
  const at::Tensor pixels = torch::cat(erased), mean = pixels.mean(0), deviation = pixels.std(0);
  for (std::size_t c = 0; c < 3; ++c) {
    const auto channel = static_cast<std::int64_t>(c);
    EXPECT_NEAR(mean[channel].item<double>(), input.mean.at(c), 0.002) << c;
    EXPECT_NEAR(deviation[channel].item<double>(), input.std.at(c), 0.002) << c;
  }
}

TEST(RandomErasing, FillsWithNoiseThatTheInputsWhiteningMakesWhite) {
  const InputSpec input{.size = 64,
                        .crop = 1,
                        .mean = {0.5, 0.5, 0.5},
                        .std = {1, 1, 1},
                        .whiten = ColorMatrix{{{10, 5, 0}, {0, 15, 0}, {0, -5, 20}}}};
  const auto augmentation = read_augmentation(
      alone(R"({"random_erasing": {"p": 1, "scale": [0.9, 1], "ratio": [1, 1], "value": "random"}})"), input);
  const at::Tensor changed = apply(augmentation, torch::zeros({64, 64, 3}, at::kByte), input, 0);
  const at::Tensor pixels = normalize_images(changed.unsqueeze(0), input).permute({0, 2, 3, 1}).reshape({-1, 3});
  const at::Tensor erased = pixels.index({changed.select(2, 1).flatten().ne(0)}).to(at::kDouble);
  EXPECT_GT(erased.size(0), 3500);
  EXPECT_TRUE(at::allclose(at::cov(erased.t()), at::eye(3, at::kDouble), 0, 0.1)) << at::cov(erased.t());
}

TEST(Jpeg, DrawsEveryQualityOfItsRange) {
  const auto augmentation = read_augmentation(alone(R"({"jpeg": {"quality": [20, 24]}})"), kInput);
  const at::Tensor image = torch::randint(256, {64, 64, 3}, at::kByte);
  std::set<int> found;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const at::Tensor changed = apply(augmentation, image, kInput, seed);
    int quality = 20;
    while (quality <= 24 && !at::equal(changed, jpeg(image, quality))) ++quality;
    found.insert(quality);
  }
  EXPECT_EQ(found, (std::set<int>{20, 21, 22, 23, 24}));
}

TEST(RandomGamma, StaysWithinItsRange) {
  const auto augmentation = read_augmentation(alone(R"({"random_gamma": {"gamma": [0.5, 2]}})"), kInput);
  const at::Tensor image = torch::randint(256, {64, 64, 3}, at::kByte);
  const at::Tensor brightest = adjust_gamma(image, 0.5), darkest = adjust_gamma(image, 2);
  std::set<double> means;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const at::Tensor changed = apply(augmentation, image, kInput, seed);
    EXPECT_TRUE((changed.le(brightest) & changed.ge(darkest)).all().item<bool>());
    means.insert(changed.to(at::kDouble).mean().item<double>());
  }
  EXPECT_GT(means.size(), 35U);
  EXPECT_LT(*means.begin(), image.to(at::kDouble).mean().item<double>());
  EXPECT_GT(*means.rbegin(), image.to(at::kDouble).mean().item<double>());
}

}  // namespace
}  // namespace graft
