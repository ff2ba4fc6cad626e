#include "graft/train/metrics.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "graft/train/task.h"
#include "support/parity.h"

namespace graft {
namespace {

using test::ParityFixture;

const std::vector<std::string> kFive{"a", "b", "c", "d", "e"};

std::vector<std::string> class_names(std::int64_t count) {
  std::vector<std::string> names;
  for (std::int64_t k = 0; k < count; ++k) names.push_back(std::to_string(k));
  return names;
}

TEST(ClassificationMetrics, AreScikitLearns) {
  const ParityFixture reference("train/metrics.pt");
  const auto cases = reference.cases("accuracy");
  EXPECT_EQ(cases.size(), 6U);
  for (const auto& name : cases) {
    const auto number = [&](const std::string& key) { return reference.at(name + "/" + key).item<double>(); };
    const at::Tensor& probabilities = reference.at(name + "/probabilities");
    const auto metrics =
        classification_metrics(probabilities, reference.at(name + "/targets"), class_names(probabilities.size(1)));
    EXPECT_EQ(metrics.images, reference.at(name + "/targets").size(0));
    const auto apart = [&](const std::string& key, double found) {
      return test::noted("metrics", key, std::abs(found - number(key)));
    };
    EXPECT_LT(apart("accuracy", metrics.figure("accuracy")), 1e-12) << name;
    EXPECT_LT(apart("loss", metrics.figure("loss")), 1e-6 * std::max(1.0, number("loss"))) << name;
    EXPECT_LT(apart("balanced_accuracy", metrics.figure("balanced_accuracy")), 1e-12) << name;
    EXPECT_LT(apart("macro_f1", metrics.figure("macro_f1")), 1e-12) << name;
    for (std::int64_t k = 0; k < probabilities.size(1); ++k) {
      const auto figure = [&](const char* key) { return reference.at(name + "/" + key)[k].item<double>(); };
      const ClassMetrics& figures = metrics.per_class.at(static_cast<std::size_t>(k));
      EXPECT_EQ(static_cast<double>(figures.support), figure("support")) << name;
      EXPECT_NEAR(figures.precision, figure("precision"), 1e-12) << name;
      EXPECT_NEAR(figures.recall, figure("recall"), 1e-12) << name;
      EXPECT_NEAR(figures.f1, figure("f1"), 1e-12) << name;
      for (std::int64_t other = 0; other < probabilities.size(1); ++other)
        EXPECT_EQ(static_cast<double>(metrics.confusion[static_cast<std::size_t>(k)][static_cast<std::size_t>(other)]),
                  reference.at(name + "/confusion")[k][other].item<double>())
            << name;
    }
  }
}

TEST(ClassificationMetrics, ScoresAreScikitLearnsAndLeftOutWhereUndefined) {
  const ParityFixture reference("train/metrics.pt");
  std::size_t compared = 0;
  for (const auto& name : reference.cases("accuracy")) {
    const at::Tensor& probabilities = reference.at(name + "/probabilities");
    const auto scores =
        classification_metrics(probabilities, reference.at(name + "/targets"), class_names(probabilities.size(1)))
            .figures;
    const std::map<std::string, double> found(scores.begin(), scores.end());
    for (const auto& score : score_names()) {
      const std::string key = name + "/score/" + score;
      ASSERT_EQ(found.contains(score), reference.has(key)) << key;
      if (!reference.has(key)) continue;
      const double apart = std::abs(found.at(score) - reference.at(key).item<double>());
      EXPECT_LT(test::noted("metrics", score, apart), 1e-9) << key;
      ++compared;
    }
  }
  EXPECT_GT(compared, 30U);
}

TEST(ClassificationMetrics, OnlyTheScoresThatAreWantedAreComputed) {
  const at::Tensor probabilities = at::eye(5);
  const auto figures = classification_metrics(probabilities, at::arange(5), kFive, {"accuracy", "mcc"}).figures;
  ASSERT_EQ(figures.size(), 5U);
  EXPECT_EQ(figures.back(), (std::pair<std::string, double>{"mcc", 1}));
}

/// Measures a case of a task as the reference did.
Metrics measured(const ParityFixture& reference, const std::string& task, const std::string& name) {
  const at::Tensor& answers = reference.at(name + "/answers");
  return task_row(task_named(task))
      .measure(answers, reference.at(name + "/targets"), class_names(answers.size(1)), score_names());
}

TEST(TaskMetrics, AreTheReferencesAndLeftOutWhereUndefined) {
  const ParityFixture reference("train/task_metrics.pt");
  const std::map<std::string, std::vector<std::string>> figures{
      {"multi_label", {"average_precision", "auroc", "loss", "accuracy", "macro_f1", "micro_f1"}},
      {"regression", {"rmse", "mae", "loss", "r2", "spearman"}},
      {"ordinal", {"accuracy", "mae", "quadratic_kappa"}}};
  std::size_t compared = 0, undefined = 0;
  for (const auto& name : reference.cases("answers")) {
    const std::string task = name.substr(0, name.find('/'));
    const Metrics metrics = measured(reference, task, name);
    for (const auto& figure : figures.at(task)) {
      const std::string key = name + "/figure/" + figure;
      if (!reference.has(key)) {
        EXPECT_THROW(metrics.figure(figure), Error) << key;
        ++undefined;
        continue;
      }
      const double expected = reference.at(key).item<double>(), found = metrics.figure(figure);
      const double apart = std::abs(found - expected) / std::max(1.0, std::abs(expected));
      EXPECT_LT(test::noted("metrics", figure, apart), figure == "loss" ? 1e-6 : 1e-9) << key;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 53U);
  EXPECT_EQ(undefined, 8U);
}

TEST(TaskMetrics, OfSeveralClassesEachHasItsOwn) {
  const ParityFixture reference("train/task_metrics.pt");
  for (const char* name : {"multi_label/all", "multi_label/part", "multi_label/ties"}) {
    const Metrics metrics = measured(reference, "multi_label", name);
    ASSERT_EQ(metrics.per_class.size(), 5U);
    for (std::int64_t k = 0; k < 5; ++k) {
      const auto figure = [&](const char* key) {
        return reference.at(std::string(name) + "/class/" + key)[k].item<double>();
      };
      const ClassMetrics& found = metrics.per_class[static_cast<std::size_t>(k)];
      EXPECT_EQ(static_cast<double>(found.support), figure("support"));
      EXPECT_NEAR(found.precision, figure("precision"), 1e-12);
      EXPECT_NEAR(found.recall, figure("recall"), 1e-12);
      EXPECT_NEAR(found.f1, figure("f1"), 1e-12);
    }
    EXPECT_FALSE(to_json(metrics).contains("confusion"));
  }
  const Json numbers = to_json(measured(reference, "regression", "regression/all"));
  std::vector<std::string> keys;
  for (const auto& [key, ignored] : numbers.items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"images", "rmse", "mae", "loss", "r2", "spearman"}));
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
  EXPECT_EQ(keys, (std::vector<std::string>{"images", "accuracy", "loss", "balanced_accuracy", "macro_f1",
                                            "weighted_f1", "mcc", "kappa", "auroc", "average_precision", "brier", "ece",
                                            "classes", "per_class", "confusion"}));
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
