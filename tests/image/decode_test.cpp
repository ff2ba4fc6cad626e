#include "graft/image/decode.h"

#include <gmock/gmock.h>
#include <torch/types.h>

#include <opencv2/core.hpp>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "image/fixture.h"
#include "support/parity.h"

namespace graft {
namespace {

using test::difference;
using test::image_fixture;

/// JPEG and lossy WebP leave a decoder some freedom in rounding; everything else is exact.
int decoder_tolerance(const std::string& name) { return name.ends_with(".jpg") || name == "rgb.webp" ? 1 : 0; }

TEST(DecodeImage, AgreesWithPillowOnEveryKindOfFile) {
  const test::ParityFixture expected("image/decoded.pt");
  const auto names = expected.cases("rgb");
  EXPECT_GT(names.size(), 60U);
  for (const auto& name : names) {
    const at::Tensor& pixels = expected.at(name + "/rgb");
    const at::Tensor decoded = decode_image_file(image_fixture("files/" + name), {});
    EXPECT_TRUE(decoded.is_contiguous()) << name;
    EXPECT_EQ(decoded.sizes(), pixels.sizes()) << name;
    const auto apart = difference(decoded, pixels);
    EXPECT_LE(apart.largest, decoder_tolerance(name)) << name << ": " << apart.part << " of the values differ";
  }
}

TEST(DecodeImage, ReducesAJpegWhileTwiceTheTargetRemains) {
  // The photo is 611 pixels high: its half is 305, its quarter 152 and its eighth 76.
  const std::map<int, std::string> factor_of_target{{0, "1"},  {153, "1"}, {152, "2"}, {77, "2"},  {76, "4"},
                                                    {39, "4"}, {38, "8"},  {1, "8"},   {4000, "1"}};
  const test::ParityFixture expected("image/reduced.pt");
  for (const auto& [target, factor] : factor_of_target) {
    const at::Tensor decoded = decode_image_file(image_fixture("files/large.jpg"), {.target = target});
    EXPECT_LE(difference(decoded, expected.at(factor)).largest, 1) << target;
  }
}

TEST(DecodeImage, ReducesNothingButJpeg) {
  const auto path = image_fixture("files/rgb.png");
  EXPECT_TRUE(at::equal(decode_image_file(path, {.target = 1}), decode_image_file(path, {})));
}

TEST(DecodeImage, PrintsNothingAboutAFlawedProfile) {
  testing::internal::CaptureStderr();
  decode_image_file(image_fixture("files/broken_profile.png"), {});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(DecodeImage, ToleratesDamagedOrNonsensicalExif) {
  std::string bytes = read_file(image_fixture("files/orientation6.jpg"));
  const auto exif = bytes.find("Exif");
  ASSERT_NE(exif, std::string::npos);
  const at::Tensor turned = test::decode(bytes);
  std::string damaged = bytes;
  damaged.replace(exif + 10, 4, "\xff\xff\xff\xff");  // where the directory starts
  EXPECT_EQ(test::decode(damaged).size(0), turned.size(1));
  for (auto at = exif; at < exif + 40; ++at) {
    if (bytes[at] != 6) continue;
    damaged = bytes;
    damaged[at] = 9;  // no orientation of that number
    EXPECT_EQ(test::decode(damaged).size(0), turned.size(1));
  }
}

TEST(ImageFromMat, TakesGreyBgrAndBgra) {
  const cv::Mat bgra(2, 3, CV_8UC4, cv::Scalar(10, 20, 30, 40));
  const cv::Mat bgr(2, 3, CV_8UC3, cv::Scalar(10, 20, 30));
  const at::Tensor rgb = torch::tensor({30, 20, 10}, at::kByte).expand({2, 3, 3});
  EXPECT_TRUE(at::equal(image_from_mat(bgra), rgb));
  EXPECT_TRUE(at::equal(image_from_mat(bgr), rgb));
  EXPECT_TRUE(at::equal(image_from_mat(cv::Mat(2, 3, CV_8UC1, cv::Scalar(7))), torch::full({2, 3, 3}, 7, at::kByte)));
  EXPECT_TRUE(at::equal(image_from_mat(bgr.colRange(1, 3)), rgb.narrow(1, 0, 2)));
}

TEST(ImageFromMat, RefusesOtherMats) {
  EXPECT_THROW(image_from_mat(cv::Mat()), Error);
  EXPECT_THROW(image_from_mat(cv::Mat(2, 3, CV_16UC3)), Error);
  EXPECT_THROW(image_from_mat(cv::Mat(2, 3, CV_8UC2)), Error);
}

}  // namespace
}  // namespace graft
