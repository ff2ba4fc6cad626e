#include "graft/image/augment.h"

#include <gmock/gmock.h>
#include <torch/types.h>

#include <thread>

#include "graft/core/runtime.h"
#include "graft/image/preprocess.h"
#include "graft/image/random_box.h"
#include "image/augmentation.h"
#include "support/parity.h"

namespace graft {
namespace {

using test::apply;
using test::read_augmentation;
using testing::HasSubstr;

constexpr const char* kBoth = R"({"transforms": [{"random_resized_crop": {"scale": [0.3, 1]}}, "horizontal_flip"]})";

TEST(RandomCropBox, IsTorchvisions) {
  const test::ParityFixture tensors("image/crops.pt");
  const at::Tensor& rows = tensors.at("rows");
  EXPECT_GT(rows.size(0), 200);
  for (int i = 0; i < rows.size(0); ++i) {
    const auto* row = rows.data_ptr<double>() + i * rows.size(1);
    RandomStream random(static_cast<std::uint64_t>(row[6]));
    const CropBox box =
        random_crop_box(static_cast<int>(row[0]), static_cast<int>(row[1]), {row[2], row[3]}, {row[4], row[5]}, random);
    const at::Tensor found = torch::tensor({box.top, box.left, box.height, box.width}, at::kDouble);
    const double apart = (found - rows[i].slice(0, 7, 11)).abs().max().item<double>();
    EXPECT_EQ(test::noted("transforms", "random_resized_crop", apart), 0) << "row " << i;
  }
}

TEST(RandomCropBox, IsNeverEmptyNorOutside) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    RandomStream random(seed);
    const int height = 1 + static_cast<int>(seed % 5), width = 1 + static_cast<int>(seed % 7) * 9;
    const CropBox box = random_crop_box(height, width, {0.01, 0.02}, {0.1, 0.2}, random);
    EXPECT_GE(std::min({box.top, box.left, box.height - 1, box.width - 1}), 0);
    EXPECT_LE(box.top + box.height, height);
    EXPECT_LE(box.left + box.width, width);
  }
}

TEST(Augmentation, WithNoTransformsIsFitImage) {
  const InputSpec input{.size = 32};
  const at::Tensor image = torch::randint(256, {50, 70, 3}, at::kByte);
  for (const char* text : {"{}", R"({"transforms": []})"}) {
    const auto augmentation = read_augmentation(text, input);
    EXPECT_TRUE(augmentation.empty());
    EXPECT_TRUE(at::equal(apply(augmentation, image, input, 1), fit_image(image, input)));
  }
}

TEST(Augmentation, FlipsAndThenFitsEvenAnImageOfTheInputSize) {
  const InputSpec input{.size = 32};
  for (const int side : {32, 50}) {
    const at::Tensor image = torch::randint(256, {side, side, 3}, at::kByte);
    const auto always = read_augmentation(R"({"transforms": [{"horizontal_flip": {"p": 1}}]})", input);
    const auto never = read_augmentation(R"({"transforms": [{"horizontal_flip": {"p": 0}}]})", input);
    EXPECT_TRUE(at::equal(apply(always, image, input, 1), fit_image(image.flip({1}), input)));
    EXPECT_TRUE(at::equal(apply(never, image, input, 1), fit_image(image, input)));
  }
}

TEST(Augmentation, FlipsAsOftenAsItIsTold) {
  const InputSpec input{.size = 8, .crop = 1};
  const auto augmentation = read_augmentation(R"({"transforms": [{"horizontal_flip": {"p": 0.25}}]})", input);
  const at::Tensor image = torch::arange(192, at::kByte).view({8, 8, 3});
  int flipped = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed)
    flipped += at::equal(apply(augmentation, image, input, seed), image) ? 0 : 1;
  EXPECT_NEAR(flipped, 100, 30);
}

TEST(Augmentation, CropsAndResizesToTheInputSize) {
  const InputSpec input{.size = 32, .interpolation = Interpolation::kBicubic};
  const auto augmentation = read_augmentation(R"({"transforms": ["random_resized_crop"]})", input);
  const at::Tensor image = torch::randint(256, {50, 70, 3}, at::kByte);
  RandomStream random(5);
  const CropBox box = random_crop_box(50, 70, {0.08, 1}, {3.0 / 4, 4.0 / 3}, random);
  const at::Tensor part = image.narrow(0, box.top, box.height).narrow(1, box.left, box.width);
  EXPECT_TRUE(at::equal(apply(augmentation, image, input, 5), resize_image(part, 32, 32, input.interpolation)));
}

TEST(Augmentation, EqualSeedsGiveEqualImagesOnAnyThread) {
  const InputSpec input{.size = 24};
  const auto augmentation = read_augmentation(kBoth, input);
  const at::Tensor image = torch::randint(256, {90, 60, 3}, at::kByte);
  std::vector<at::Tensor> here, there(20);
  for (std::uint64_t seed = 0; seed < there.size(); ++seed) here.push_back(apply(augmentation, image, input, seed));
  std::thread([&] {
    const OneThreadScope one_thread;
    for (std::uint64_t seed = there.size(); seed-- > 0;) there[seed] = apply(augmentation, image, input, seed);
  }).join();
  for (std::size_t seed = 0; seed < here.size(); ++seed) EXPECT_TRUE(at::equal(here[seed], there[seed])) << seed;
  EXPECT_FALSE(at::equal(here[0], here[1]));
}

TEST(Augmentation, WritesEveryDefault) {
  const auto augmentation = read_augmentation(kBoth, {});
  const Json expected = parse_json(
      R"({"transforms": [{"random_resized_crop": {"scale": [0.3, 1.0], "ratio": [0.75, 1.3333333333333333]}},
                         {"horizontal_flip": {"p": 0.5}}], "keep": []})",
      "expected");
  EXPECT_EQ(augmentation.to_json(), expected);
  EXPECT_EQ(read_augmentation(augmentation.to_json().dump(), {}).to_json(), expected);
}

TEST(Augmentation, RefusesATransformThatBreaksWhatIsKept) {
  std::vector<Problem> problems;
  read_augmentation(R"({"transforms": ["horizontal_flip"], "keep": ["orientation"]})", {}, problems);
  EXPECT_TRUE(problems.empty());
  read_augmentation(R"({"transforms": ["random_resized_crop", "horizontal_flip"], "keep": ["handedness"]})", {},
                    problems);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].subject, "augment.transforms[1]");
  EXPECT_THAT(problems[0].message(), HasSubstr("handedness"));
}

TEST(Augmentation, ReportsEveryMistake) {
  std::vector<Problem> problems;
  read_augmentation(
      R"({"transforms": [{"horizontal_flop": {}}, {"horizontal_flip": {"p": 2}}, {"horizontal_flip": {"q": 1}},
           {"random_resized_crop": {"scale": [0.9, 0.1]}}, {"random_resized_crop": {"scale": [0, 1]}}],
           "keep": ["handednes"], "transform": []})",
      {}, problems);
  std::vector<std::string> messages;
  for (const auto& problem : problems) messages.push_back(problem.message());
  EXPECT_THAT(messages, testing::UnorderedElementsAre(HasSubstr("horizontal_flip"), HasSubstr("horizontal_flip.p"),
                                                      HasSubstr("horizontal_flip.q"),
                                                      HasSubstr("the smaller number first"), HasSubstr("0 (excluded)"),
                                                      HasSubstr("'handedness'"), HasSubstr("transforms")));
}

}  // namespace
}  // namespace graft
