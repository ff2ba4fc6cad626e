#include "graft/image/input_spec.h"

#include <gmock/gmock.h>

namespace graft {
namespace {

using testing::HasSubstr;

InputSpec read(const std::string& text, std::vector<Problem>& problems, const InputSpec& fallback = {}) {
  const Json json = parse_json(text, "input");
  return read_input_spec(JsonReader(json, "input", problems), fallback);
}

TEST(InputSpec, WhatIsWrittenIsReadBack) {
  std::vector<Problem> problems;
  const std::string text =
      R"({"size":96,"resize":"squash","crop":0.5,"interpolation":"bicubic","mean":[0.1,0.2,0.3],"std":[0.4,0.5,0.6],"whiten":[[1.0,0.0,0.5],[0.0,2.0,0.0],[0.0,0.0,3.0]],"decode":"full"})";
  const InputSpec spec = read(text, problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(spec.size, 96);
  EXPECT_EQ(spec.resize, ResizeMode::kSquash);
  EXPECT_EQ(spec.interpolation, Interpolation::kBicubic);
  EXPECT_EQ(spec.std[2], 0.6);
  EXPECT_EQ(spec.whiten->at(0).at(2), 0.5);
  EXPECT_TRUE(spec.full_decode);
  EXPECT_EQ(to_json(spec).dump(), text);
}

TEST(InputSpec, AbsentKeysComeFromTheFallback) {
  std::vector<Problem> problems;
  InputSpec fallback{.size = 260, .resize = ResizeMode::kSquash, .interpolation = Interpolation::kBicubic};
  fallback.full_decode = true;
  EXPECT_EQ(to_json(read("{}", problems, fallback)), to_json(fallback));
  EXPECT_TRUE(problems.empty());
}

TEST(InputSpec, EveryMistakeIsReported) {
  std::vector<Problem> problems;
  read(
      R"({"size":7,"resize":"longer","crop":0.05,"interpolation":"cubic","mean":[1,2],"std":[0,1,1],"whiten":"pca","means":0})",
      problems);
  ASSERT_EQ(problems.size(), 8U);
  EXPECT_EQ(problems[0].subject, "input.size");
  EXPECT_THAT(problems[3].message(), HasSubstr("bicubic"));
  EXPECT_THAT(problems[5].message(), HasSubstr("0 (excluded)"));
  EXPECT_EQ(problems[6].subject, "input.whiten");
  EXPECT_THAT(problems[7].message(), HasSubstr("mean"));
}

TEST(InputSpec, ResizedSideIsRoundedDown) {
  EXPECT_EQ((InputSpec{.size = 224, .crop = 0.875}.resized_side()), 256);
  EXPECT_EQ((InputSpec{.size = 224, .crop = 0.9}.resized_side()), 248);
  EXPECT_EQ((InputSpec{.size = 224, .crop = 0.95}.resized_side()), 235);
  EXPECT_EQ((InputSpec{.size = 224, .crop = 1}.resized_side()), 224);
  EXPECT_EQ((InputSpec{.size = 224, .resize = ResizeMode::kSquash, .crop = 0.5}.resized_side()), 224);
  for (int side = 224; side < 400; ++side)
    EXPECT_EQ((InputSpec{.size = 224, .crop = 224.0 / side}.resized_side()), side);
}

}  // namespace
}  // namespace graft
