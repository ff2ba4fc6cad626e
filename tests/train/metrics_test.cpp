#include "graft/train/metrics.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/parity.h"

namespace graft {
namespace {

using test::ParityFixture;

const std::vector<std::string> kFive{"a", "b", "c", "d", "e"};

TEST(ClassificationMetrics, AreScikitLearns) {
  const ParityFixture reference("train/metrics.pt");
  const auto cases = reference.cases("accuracy");
  EXPECT_GE(cases.size(), 4U);
  for (const auto& name : cases) {
    const auto number = [&](const std::string& key) { return reference.at(name + "/" + key).item<double>(); };
    const auto metrics =
        classification_metrics(reference.at(name + "/probabilities"), reference.at(name + "/targets"), kFive);
    EXPECT_EQ(metrics.images, reference.at(name + "/targets").size(0));
    EXPECT_NEAR(metrics.accuracy, number("accuracy"), 1e-12) << name;
    EXPECT_NEAR(metrics.loss, number("loss"), 1e-6 * std::max(1.0, number("loss"))) << name;
    EXPECT_NEAR(metrics.balanced_accuracy, number("balanced_accuracy"), 1e-12) << name;
    EXPECT_NEAR(metrics.macro_f1, number("macro_f1"), 1e-12) << name;
    for (std::int64_t k = 0; k < 5; ++k) {
      const auto figure = [&](const char* key) { return reference.at(name + "/" + key)[k].item<double>(); };
      const ClassMetrics& figures = metrics.per_class.at(static_cast<std::size_t>(k));
      EXPECT_EQ(static_cast<double>(figures.support), figure("support")) << name;
      EXPECT_NEAR(figures.precision, figure("precision"), 1e-12) << name;
      EXPECT_NEAR(figures.recall, figure("recall"), 1e-12) << name;
      EXPECT_NEAR(figures.f1, figure("f1"), 1e-12) << name;
      for (std::int64_t other = 0; other < 5; ++other)
        EXPECT_EQ(static_cast<double>(metrics.confusion[static_cast<std::size_t>(k)][static_cast<std::size_t>(other)]),
                  reference.at(name + "/confusion")[k][other].item<double>())
            << name;
    }
  }
}

TEST(ClassificationMetrics, JsonHasTheDocumentedShape) {
  const at::Tensor probabilities = at::tensor({0.75F, 0.25F, 0.25F, 0.75F, 0.75F, 0.25F, 0.25F, 0.75F}).reshape({4, 2});
  const Json json = to_json(classification_metrics(probabilities, at::tensor({0, 1, 0, 0}, at::kLong), {"cat", "dog"}));
  EXPECT_EQ(json["images"], 4);
  EXPECT_EQ(json["accuracy"], 0.75);
  EXPECT_EQ(json["classes"], (Json{"cat", "dog"}));
  EXPECT_EQ(json["confusion"], Json::parse("[[2, 1], [0, 1]]"));
  EXPECT_EQ(json["per_class"][1]["class"], "dog");
  EXPECT_EQ(json["per_class"][1]["precision"], 0.5);
  EXPECT_EQ(json["per_class"][1]["recall"], 1.0);
  std::vector<std::string> keys;
  for (const auto& [key, ignored] : json.items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"images", "accuracy", "loss", "balanced_accuracy", "macro_f1", "classes",
                                            "per_class", "confusion"}));
}

TEST(ClassificationMetrics, ShapesThatCannotBeAreRefused) {
  const at::Tensor good = at::full({2, 5}, 0.2F), targets = at::tensor({0, 4}, at::kLong);
  EXPECT_NO_THROW(classification_metrics(good, targets, kFive));
  EXPECT_ANY_THROW(classification_metrics(good.slice(0, 0, 0), targets.slice(0, 0, 0), kFive));
  EXPECT_ANY_THROW(classification_metrics(good, targets, {"a", "b"}));
  EXPECT_ANY_THROW(classification_metrics(good, targets.slice(0, 0, 1), kFive));
  EXPECT_ANY_THROW(classification_metrics(good, at::tensor({0, 5}, at::kLong), kFive));
  EXPECT_ANY_THROW(classification_metrics(good, at::tensor({-1, 0}, at::kLong), kFive));
}

}  // namespace
}  // namespace graft
