#include "graft/train/diagnosis.h"

#include <gmock/gmock.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <numbers>

#include "graft/head/build_head.h"
#include "graft/train/findings.h"
#include "support/fixture_backbones.h"

namespace graft {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kClasses = 3;

/// A phase over the tiny network with a head, and what is said of it.
class DiagnosisTest : public testing::Test {
 protected:
  Diagnosis& begin(const char* head, std::int64_t steps_per_epoch = 1) {
    Json json = preset_recipe("probe");
    json["backbone"] = {{"file", "backbone.pt"}};
    json["head"] = Json::parse(head);
    json["diagnosis"]["overfit_batch"] = true;
    recipe_ = read_recipe(json, "");
    network_.emplace(Backbone::load(test::FixtureBackbone{"tiny_cnn", "scripted"}.file(), {.image_size = 32}),
                     build_head(recipe_.head, kFeatures, kClasses, 1), at::kCPU);
    network_->select({{}, {"linear_0.weight"}}, BatchNormStatistics::kFrozen);
    diagnosis_.begin_phase(recipe_, 0, *network_, kClasses, steps_per_epoch);
    return diagnosis_;
  }
  const Json& of_phase() { return record_.at("phases").at(0); }

  static constexpr std::int64_t kFeatures = 32;
  Recipe recipe_;
  std::optional<Network> network_;
  Json record_ = Json::object();
  std::vector<std::string> said_;
  Diagnosis diagnosis_{record_, [this](const std::string& line) { said_.push_back(line); }};
};

constexpr const char* kLinear = R"([{"linear": "classes"}])";

TEST_F(DiagnosisTest, TheFirstLossIsHeldAgainstThatOfAHeadThatKnowsNothing) {
  Diagnosis& diagnosis = begin(kLinear);
  diagnosis.see_loss(1.5);
  diagnosis.see_loss(9);  // a later one is none of its business
  EXPECT_EQ(record_.at("initial_loss").at("found"), 1.5);
  EXPECT_DOUBLE_EQ(record_.at("initial_loss").at("expected").get<double>(), std::log(3.0));
  EXPECT_THAT(said_, IsEmpty());
  record_.erase("initial_loss");
  diagnosis.see_loss(2.2);
  EXPECT_THAT(said_, ElementsAre(HasSubstr("starts at 2.2")));
  record_.erase("initial_loss");
  recipe_.distill.teacher = "teacher.pt";  // whose part in the loss no rule foretells
  diagnosis.see_loss(2.2);
  EXPECT_EQ(said_.size(), 1U);
  EXPECT_TRUE(record_.at("initial_loss").at("expected").is_null());
}

TEST_F(DiagnosisTest, NormsAreThoseOfAllGradientsAndOfTheWeightsThatChange) {
  Diagnosis& diagnosis = begin(kLinear, 2);
  const at::Tensor weight = at::full({2, 2}, 2.0).set_requires_grad(true);
  const at::Tensor stage = at::full({1, 4}, 1.0).set_requires_grad(true), bias = at::zeros({2}).set_requires_grad(true);
  const std::vector<ParameterGroup> groups{{{"head.linear_0.weight", "head.linear_0.bias"}, {weight, bias}},
                                           {{"backbone.conv3.weight"}, {stage}}};
  for (const at::Tensor& parameter : {weight, stage}) parameter.mutable_grad() = at::full(parameter.sizes(), 1.5);
  bias.mutable_grad() = at::full({2}, 3.0);
  diagnosis.before_update(groups, 0);
  {
    const torch::NoGradGuard no_grad;
    weight.add_(0.02);
    stage.mul_(1.5);
    bias.add_(1);  // a bias starts from nothing: no ratio
  }
  diagnosis.after_update(groups);
  EXPECT_NEAR(of_phase().at("gradient_norm").at("mean").get<double>(), std::sqrt(8 * 2.25 + 2 * 9), 1e-6);
  const Json& ratios = of_phase().at("update_ratio");
  EXPECT_EQ(ratios.size(), 2U);
  EXPECT_NEAR(ratios.at("head").at("mean").get<double>(), 0.01, 1e-6);
  EXPECT_NEAR(ratios.at("conv3").at("mean").get<double>(), 0.5, 1e-6);
}

TEST_F(DiagnosisTest, LooksAtAFewStepsOfAnEpochSpreadEvenly) {
  Diagnosis& diagnosis = begin(kLinear, 30);
  const at::Tensor weight = at::ones({2, 2}).set_requires_grad(true);
  std::vector<std::int64_t> looked_at;
  for (std::int64_t step = 0; step < 30; ++step) {
    weight.mutable_grad() = at::full({2, 2}, static_cast<double>(step + 1));
    const auto before = of_phase().value("gradient_norm", Json::object()).value("samples", 0);
    diagnosis.before_update({{{"head.linear_0.weight"}, {weight}}}, step);
    if (of_phase().value("gradient_norm", Json::object()).value("samples", 0) > before) looked_at.push_back(step);
  }
  EXPECT_THAT(looked_at, ElementsAre(9, 19, 29));
  const Json& norm = of_phase().at("gradient_norm");
  EXPECT_NEAR(norm.at("mean").get<double>(), 2 * std::cbrt(10.0 * 20 * 30), 1e-6);
  EXPECT_DOUBLE_EQ(norm.at("largest").get<double>(), 60);
}

TEST_F(DiagnosisTest, UnitsThatAreNeverOfUseAreCounted) {
  Diagnosis& diagnosis =
      begin(R"([{"activation": "relu"}, {"linear": 4, "bias": 100}, {"activation": "tanh"}, {"linear": "classes"}])");
  at::Tensor features = at::full({5, kFeatures}, -1.0);
  features.narrow(1, 0, 8).fill_(0.5);
  features.index_put_({4, 8}, 2.0);  // a ninth that one photo needs
  const torch::NoGradGuard no_grad;
  diagnosis.see_features(features, 0);
  EXPECT_DOUBLE_EQ(of_phase().at("dead_units").at("activation_0").get<double>(), 1 - 9.0 / kFeatures);
  EXPECT_DOUBLE_EQ(of_phase().at("saturated_units").at("activation_2").get<double>(), 1);
  diagnosis.see_features(at::full({5, kFeatures}, 1.0), 5);  // a second batch of the pass: nothing is dead
  EXPECT_DOUBLE_EQ(of_phase().at("dead_units").at("activation_0").get<double>(), 0);
  diagnosis.end_phase(Json::array());
  EXPECT_THAT(said_, ElementsAre(HasSubstr("head.activation_2: 100 % of the units")));
}

TEST_F(DiagnosisTest, OneBatchIsLearntByHeartUnlessItsLabelsContradict) {
  Diagnosis& diagnosis = begin(kLinear);
  const at::Tensor features = torch::randn({6, kFeatures}), targets = at::tensor({0, 1, 2, 0, 1, 2}, at::kLong);
  const at::Tensor weight = network_->head().attr("linear_0").toModule().attr("weight").toTensor().clone();
  diagnosis.see_batch(features, targets);
  EXPECT_LT(record_.at("one_batch").at("after").get<double>(), 0.05);
  EXPECT_THAT(said_, IsEmpty());
  EXPECT_FALSE(diagnosis.wants_batch());
  record_.erase("one_batch");
  diagnosis.see_batch(at::ones({6, kFeatures}), targets);
  EXPECT_THAT(said_, ElementsAre(HasSubstr("cannot learn one batch of 6 photos")));
  EXPECT_TRUE(weight.equal(network_->head().attr("linear_0").toModule().attr("weight").toTensor()));
}

std::vector<Json> epochs_of(const std::vector<double>& train, const std::vector<double>& val) {
  std::vector<Json> epochs;
  for (std::size_t i = 0; i < train.size(); ++i) epochs.push_back({{"train_loss", train[i]}, {"val_loss", val[i]}});
  return epochs;
}

TEST(FitOf, TellsHowThePhaseWent) {
  const double start = std::numbers::ln2;
  const auto verdict = [&](const std::vector<double>& train, const std::vector<double>& val) {
    return fit_of(epochs_of(train, val), start, 0).at("verdict").get<std::string>();
  };
  EXPECT_EQ(verdict({0.5, 0.1}, {0.5, 0.4}), "too short to tell");
  EXPECT_EQ(verdict({0.5, 0.2, 0.1, 0.05}, {0.5, 0.4, 0.42, 0.45}), "overfitting");
  EXPECT_EQ(verdict({0.5, 0.2, 0.1, 0.05}, {0.5, 0.4, 0.42, 0.43}), "fits");
  EXPECT_EQ(verdict({0.6, 0.5, 0.4, 0.3}, {0.6, 0.5, 0.45, 0.4}), "still learning");
  EXPECT_EQ(verdict({0.6, 0.5, 0.4, 0.399}, {0.6, 0.5, 0.45, 0.4}), "underfitting");
  EXPECT_EQ(verdict({0.6, 0.3, 0.2, 0.199}, {0.6, 0.5, 0.45, 0.4}), "fits");
}

TEST(FindingsOf, SaysNothingOfWhatIsAsItShouldBe) {
  Json json = preset_recipe("probe");
  json["backbone"] = {{"file", "backbone.pt"}};
  const Recipe recipe = read_recipe(json, "");
  Json phase = Json::parse(R"({"update_ratio": {"head": {"samples": 9, "mean": 2e-3, "largest": 0.5}},
                               "gradient_norm": {"samples": 9, "mean": 1.0, "largest": 49},
                               "dead_units": {"activation_3": 0.5}, "fit": {"verdict": "fits"}})");
  EXPECT_THAT(findings_of(phase, recipe, 0), IsEmpty());
  phase["update_ratio"]["head"]["mean"] = 0.2;
  phase["gradient_norm"]["largest"] = 51;
  phase["dead_units"]["activation_3"] = 0.51;
  phase["fit"] = Json::parse(R"({"verdict": "still learning"})");
  EXPECT_THAT(findings_of(phase, recipe, 0),
              ElementsAre(HasSubstr("lower the learning rate"), HasSubstr("51 % of the units are 0"),
                          HasSubstr("\"clip\": {\"norm\": 10}"), HasSubstr("more of them")));
}

}  // namespace
}  // namespace graft
