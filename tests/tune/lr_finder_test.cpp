#include "graft/tune/lr_finder.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <torch/csrc/jit/api/module.h>

#include <cmath>
#include <limits>

#include "graft/core/error.h"
#include "graft/train/recipe.h"
#include "support/parity.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

using test::noted;
using test::ParityFixture;
using testing::HasSubstr;

TEST(LrCurve, SmoothsAndSuggestsAsFastai) {
  const ParityFixture reference("tune/lr_curves.pt");
  const auto cases = reference.cases("losses");
  EXPECT_EQ(cases.size(), 6U);
  for (const auto& name : cases) {
    const at::Tensor losses = reference.at(name + "/losses"), smoothed = reference.at(name + "/smoothed");
    const LrRange range{.num_iter = reference.at(name + "/num_iter").item<std::int64_t>()};
    LrCurve curve;
    for (std::int64_t i = 0; i < losses.size(0); ++i) {
      EXPECT_NEAR(range.at(i) / reference.at(name + "/lrs")[i].item<double>(), 1, 1e-12) << name;
      if (!curve.add(range.at(i), losses[i].item<double>())) break;
    }
    const auto& points = curve.points();
    ASSERT_EQ(static_cast<std::int64_t>(points.size()), smoothed.size(0)) << name;
    for (std::size_t i = 0; i < points.size(); ++i)
      EXPECT_NEAR(points[i].smoothed / smoothed[static_cast<std::int64_t>(i)].item<double>(), 1, 1e-12) << name;
    const auto apart = [&](const std::string& suggestion, std::optional<double> found) {
      const double expected = reference.at(name + "/" + suggestion).item<double>();
      if (!found) return std::isnan(expected) ? 0 : std::numeric_limits<double>::infinity();
      return std::abs(*found / expected - 1);
    };
    EXPECT_LT(noted("suggestions", "valley", apart("valley", curve.valley(range.num_iter))), 1e-12) << name;
    EXPECT_LT(noted("suggestions", "steepest", apart("steepest", curve.steepest(range.num_iter))), 1e-12) << name;
  }
}

RunSpec small_run() {
  Json json = test::small_recipe();
  json["head"] = Json::parse(R"([{"batch_norm": {}}, {"linear": "classes", "init": "lsuv"}])");
  json["phases"] = Json::parse(R"([{"optimizer": "sgd"}])");
  return test::spec(json, "");
}

TEST(LrFinder, StepsAtTheRatesOfTheRangeUntilTheLossDiverges) {
  test::TemporaryFolder folder;
  RunSpec spec = small_run();
  spec.folder = folder / "run";
  const LrRange range{.end_lr = 1e5, .num_iter = 40};
  const LrCurve curve = find_lr(spec, 0, range);
  ASSERT_GT(curve.points().size(), 12U);
  EXPECT_LT(curve.points().size(), 40U);
  EXPECT_TRUE(curve.diverged());
  for (std::size_t i = 0; i < curve.points().size(); ++i)
    EXPECT_EQ(curve.points()[i].lr, range.at(static_cast<std::int64_t>(i)));
  EXPECT_TRUE(curve.valley(40) && curve.steepest(40));
  EXPECT_FALSE(std::filesystem::exists(spec.folder));

  EXPECT_EQ(find_lr(spec, 0, range).points().back().loss, curve.points().back().loss);
  const LrCurve calm = find_lr(spec, 0, {.end_lr = 1e-6, .num_iter = 12});
  EXPECT_EQ(calm.points().size(), 12U);
  EXPECT_FALSE(calm.diverged());

  torch::jit::Module teacher("Teacher");
  teacher.define("def forward(self, x):\n  return x.mean([2, 3])[:, :2]\n");
  teacher.save((folder / "teacher.pt").string());
  spec.recipe.distill.teacher = folder / "teacher.pt";
  EXPECT_NE(find_lr(spec, 0, {.end_lr = 1e-6, .num_iter = 12}).points().back().loss, calm.points().back().loss);
}

TEST(LrFinder, RefusesWhatHasNoRate) {
  const auto reason = [](const RunSpec& spec, std::size_t phase) {
    try {
      find_lr(spec, phase, {});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("found");
  };
  RunSpec spec = small_run();
  EXPECT_THAT(reason(spec, 1), HasSubstr("phase 2"));
  spec.recipe.phases[0].optimizer = {"lbfgs"};
  EXPECT_THAT(reason(spec, 0), HasSubstr("lbfgs"));
}

TEST(LrFinder, AStopEndsItWithWhatItHas) {
  std::stop_source stop;
  LrListener listener;
  listener.step = [&](std::int64_t step, std::int64_t) {
    if (step == 4) stop.request_stop();
  };
  EXPECT_EQ(find_lr(small_run(), 0, {}, listener, stop.get_token()).points().size(), 4U);
}

}  // namespace
}  // namespace graft
