#include "graft/train/loss.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <set>

#include "support/parity.h"

namespace graft {
namespace {

using test::ParityFixture;
using test::relative_error;

LossSpec loss_of(const Json& value, std::vector<Problem>& problems) { return read_loss_spec(value, "loss", problems); }

TEST(Loss, ValuesAndGradientsAreTheReferences) {
  const ParityFixture reference("train/losses.pt");
  const auto cases = reference.cases("spec");
  EXPECT_EQ(cases.size(), 34U);
  const at::Tensor counts = reference.at("counts");
  const auto* begin = counts.const_data_ptr<std::int64_t>();
  std::set<std::string> seen;
  for (const auto& name : cases) {
    std::vector<Problem> problems;
    const LossSpec spec = loss_of(reference.json(name + "/spec"), problems);
    EXPECT_TRUE(problems.empty());
    seen.insert(spec.name);
    const Loss loss = make_loss(spec, {begin, begin + counts.numel()}, counts.sum().item<std::int64_t>());
    const auto of_case = [&](const std::string& key) {
      return reference.at(reference.has(name + "/" + key) ? name + "/" + key : key);
    };
    at::Tensor logits = of_case("logits").clone().set_requires_grad(true);
    const auto given = [&](const std::string& key) { return reference.has(key) ? reference.at(key) : at::Tensor(); };
    const at::Tensor value =
        loss(logits, of_case("targets"), {.classes = given(name + "/weights"), .samples = given(name + "/samples")});
    value.backward();
    const double of_slope = relative_error(logits.grad(), reference.at(name + "/gradient"));
    const double of_value = relative_error(value, reference.at(name + "/loss"));
    EXPECT_LT(test::noted("losses", spec.name, std::max(of_value, of_slope)), 1e-6) << name;
  }
  EXPECT_EQ(seen.size(), loss_names().size());
}

TEST(Loss, IsComputedInFloatWhateverTheLogitsAre) {
  const Loss loss = make_loss({});
  const at::Tensor logits = at::tensor({20.0F, 10.0F, 3.0F, 5.0F}).reshape({2, 2});
  const at::Tensor targets = at::tensor({1, 0}, at::kLong);
  const at::Tensor half = loss(logits.to(at::kBFloat16), targets, {});
  EXPECT_EQ(half.scalar_type(), at::kFloat);
  EXPECT_TRUE(half.equal(loss(logits, targets, {})));
  EXPECT_NO_THROW(loss(logits, targets, {.classes = at::ones({2}, at::kDouble), .samples = {}}));
}

TEST(Loss, ACertainAnswerHasNoSlopeAndAHopelessOneAFiniteSlope) {
  const at::Tensor logits = at::tensor({200.0F, 0.0F, 200.0F, 0.0F}).reshape({2, 2});
  for (const char* spec : {R"({"focal": {"gamma": 0}})", R"({"focal": {"gamma": 0.5}})", R"({"focal": {"gamma": 2}})",
                           R"({"poly1": {"epsilon": 1}})", R"("cross_entropy")"}) {
    std::vector<Problem> problems;
    at::Tensor x = logits.clone().set_requires_grad(true);
    const at::Tensor value = make_loss(loss_of(Json::parse(spec), problems))(x, at::tensor({0, 1}, at::kLong), {});
    value.backward();
    EXPECT_GT(value.item<double>(), 99) << spec;
    EXPECT_TRUE(x.grad()[0].equal(at::zeros({2}))) << spec;
    EXPECT_NEAR(x.grad()[1][1].item<double>(), -0.5, 1e-6) << spec;
  }
}

TEST(LossSpec, WhatIsWrittenReadsBackTheSame) {
  std::vector<Problem> problems;
  EXPECT_EQ(to_json(LossSpec{}).dump(), R"({"cross_entropy":{"label_smoothing":0.0}})");
  const Json written = to_json(loss_of(Json::parse(R"({"cross_entropy": {"label_smoothing": 0.25}})"), problems));
  EXPECT_EQ(to_json(loss_of(written, problems)), written);
  EXPECT_EQ(to_json(loss_of("cross_entropy", problems)), to_json(LossSpec{}));
  EXPECT_EQ(to_json(loss_of("focal", problems)).dump(), R"({"focal":{"gamma":2.0}})");
  EXPECT_EQ(to_json(loss_of("poly1", problems)).dump(), R"({"poly1":{"epsilon":1.0}})");
  EXPECT_EQ(to_json(loss_of("asymmetric", problems)).dump(),
            R"({"asymmetric":{"gamma_pos":1.0,"gamma_neg":4.0,"eps":0.1}})");
  EXPECT_EQ(to_json(loss_of("ldam", problems)).dump(), R"({"ldam":{"max_m":0.5,"s":30.0}})");
  EXPECT_EQ(to_json(loss_of("logit_adjusted", problems)).dump(), R"({"logit_adjusted":{"tau":1.0}})");
  EXPECT_EQ(to_json(loss_of("bce", problems)).dump(), R"({"bce":{"pos_weight":1.0}})");
  EXPECT_EQ(to_json(loss_of("asymmetric_multi_label", problems)).dump(),
            R"({"asymmetric_multi_label":{"gamma_neg":4.0,"gamma_pos":1.0,"clip":0.05,"eps":1e-08}})");
  EXPECT_EQ(to_json(loss_of("huber", problems)).dump(), R"({"huber":{"delta":1.0}})");
  EXPECT_EQ(to_json(loss_of("smooth_l1", problems)).dump(), R"({"smooth_l1":{"beta":1.0}})");
  const Json balanced = Json::parse(R"({"bce": {"pos_weight": "balanced"}})");
  EXPECT_EQ(to_json(loss_of(balanced, problems)), balanced);
  loss_of(Json::parse(R"({"smooth_l1": {"beta": 0}})"), problems);
  loss_of(Json::parse(R"({"focal": {"gamma": 0}})"), problems);
  loss_of(Json::parse(R"({"poly1": {"epsilon": -1}})"), problems);
  EXPECT_TRUE(problems.empty());
}

TEST(LossSpec, MistakesAreNamed) {
  for (const char* bad : {R"({"cross_entropy": {"label_smoothing": 1}})",
                          R"({"cross_entropy": {"label_smoothing": -0.1}})",
                          R"({"cross_entropy": {"smoothing": 0.1}})",
                          R"("crossentropy")",
                          R"({"focal": {"gamma": -0.1}})",
                          R"({"focal": {"alpha": 1}})",
                          R"({"poly1": {"epsilon": -1.1}})",
                          R"({"poly1": {"epsilon": "1"}})",
                          R"({"asymmetric": {"eps": 1}})",
                          R"({"asymmetric": {"gamma_neg": -1}})",
                          R"({"ldam": {"s": 0}})",
                          R"({"ldam": {"max_m": -0.1}})",
                          R"({"logit_adjusted": {"tau": -1}})",
                          R"({"bce": {"pos_weight": 0}})",
                          R"({"bce": {"pos_weight": "some"}})",
                          R"({"asymmetric_multi_label": {"clip": 1}})",
                          R"({"asymmetric_multi_label": {"eps": 0}})",
                          R"({"mse": {"delta": 1}})",
                          R"({"huber": {"delta": 0}})",
                          R"({"smooth_l1": {"beta": -1}})",
                          R"({"coral": {"gamma": 1}})"}) {
    std::vector<Problem> problems;
    loss_of(Json::parse(bad), problems);
    EXPECT_EQ(problems.size(), 1U) << bad;
  }
}

}  // namespace
}  // namespace graft
