#include "graft/head/whitening.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "graft/head/build_head.h"
#include "support/parity.h"

namespace graft {
namespace {

HeadSpec spec_of(Json layer, std::vector<Problem>& problems) {
  return read_head_spec(Json::array({std::move(layer), {{"linear", "classes"}, {"bias", false}}}), "head", problems);
}

/// Rows in parts of unequal size.
RunningMoments moments_of(const at::Tensor& rows) {
  RunningMoments moments;
  for (const auto& part : rows.split_with_sizes({1, 70, 2, rows.size(0) - 73})) moments.add(part);
  return moments;
}

TEST(Whitening, IsScikitLearnsAndTheFormula) {
  const test::ParityFixture reference("head/whitenings.pt");
  const at::Tensor x = reference.at("x");
  const auto cases = reference.cases("spec");
  EXPECT_EQ(cases.size(), 3U);
  for (const auto& name : cases) {
    std::vector<Problem> problems;
    const HeadSpec spec = spec_of(reference.json(name + "/spec"), problems);
    ASSERT_TRUE(problems.empty()) << name;
    auto head = build_head(spec, x.size(1), 3, 0);
    set_whitening(head, spec, moments_of(x));
    const at::Tensor y = head.attr("whiten_0").toModule().forward({x}).toTensor();
    EXPECT_LT(test::noted("layers", "whiten", test::relative_error(y, reference.at(name + "/y"))), 1e-5) << name;
  }
}

TEST(Whitening, MomentsInPartsAreThoseOfTheWhole) {
  const at::Tensor x = at::randn({500, 7}, at::kDouble) + 1000;
  const RunningMoments moments = moments_of(x);
  EXPECT_EQ(moments.count(), 500);
  EXPECT_LT(test::relative_error(moments.mean(), x.mean(0)), 1e-14);
  EXPECT_LT(test::relative_error(moments.covariance(), at::cov(x.t())), 1e-12);
}

TEST(Whitening, StandsFirstAndNamesItsMistakes) {
  std::vector<Problem> problems;
  const HeadSpec spec = spec_of({{"whiten", "zca"}}, problems);
  EXPECT_TRUE(whitens(spec));
  EXPECT_EQ(spec.layers[0].json.dump(), R"({"whiten":"zca","eps":1e-05})");
  EXPECT_EQ(read_head_spec(to_json(spec), "head", problems), spec);
  EXPECT_TRUE(problems.empty());
  for (const char* bad :
       {R"([{"whiten": "lda"}, {"linear": "classes"}])", R"([{"whiten": "pca", "eps": -1}, {"linear": "classes"}])",
        R"([{"dropout": 0.5}, {"whiten": "pca"}, {"linear": "classes"}])"}) {
    problems.clear();
    read_head_spec(Json::parse(bad), "head", problems);
    EXPECT_EQ(problems.size(), 1U) << bad;
  }
}

}  // namespace
}  // namespace graft
