#include <gmock/gmock.h>

#include "graft/optim/optimizer.h"

namespace graft {
namespace {

using testing::HasSubstr;

OptimizerSpec optimizer_of(const std::string& text, std::vector<Problem>& problems) {
  return read_optimizer_spec(Json::parse(text), "optimizer", problems);
}

TEST(OptimizerSpec, DefaultsAreTorchs) {
  std::vector<Problem> problems;
  EXPECT_EQ(to_json(optimizer_of(R"("sgd")", problems)).dump(),
            R"({"sgd":{"lr":0.001,"momentum":0.0,"dampening":0.0,"weight_decay":0.0,"nesterov":false}})");
  EXPECT_EQ(to_json(optimizer_of(R"({"adamw": {}})", problems)).dump(),
            R"({"adamw":{"lr":0.001,"betas":[0.9,0.999],"eps":1e-08,"weight_decay":0.01,"amsgrad":false}})");
  for (const char* text :
       {R"({"adam":{"lr":0.001,"betas":[0.9,0.999],"eps":1e-08,"weight_decay":0.0,"amsgrad":false}})",
        R"({"nadam":{"lr":0.002,"betas":[0.9,0.999],"eps":1e-08,"weight_decay":0.0,"momentum_decay":0.004,)"
        R"("decoupled_weight_decay":false}})",
        R"({"radam":{"lr":0.001,"betas":[0.9,0.999],"eps":1e-08,"weight_decay":0.0,"decoupled_weight_decay":false}})",
        R"({"adamax":{"lr":0.002,"betas":[0.9,0.999],"eps":1e-08,"weight_decay":0.0}})",
        R"({"adagrad":{"lr":0.01,"lr_decay":0.0,"weight_decay":0.0,"initial_accumulator_value":0.0,"eps":1e-10}})",
        R"({"rmsprop":{"lr":0.01,"alpha":0.99,"eps":1e-08,"weight_decay":0.0,"momentum":0.0,"centered":false}})",
        R"({"adadelta":{"lr":1.0,"rho":0.9,"eps":1e-06,"weight_decay":0.0}})",
        R"({"lion":{"lr":0.0001,"betas":[0.9,0.99],"weight_decay":0.0}})",
        R"({"lbfgs":{"lr":1.0,"max_iter":20,"max_eval":25,"tolerance_grad":1e-07,"tolerance_change":1e-09,)"
        R"("history_size":100,"line_search_fn":"none","C":1.0}})",
        R"({"sam":{"rho":0.05,"adaptive":false,"optimizer":{"adamw":{"lr":0.001,"betas":[0.9,0.999],"eps":1e-08,)"
        R"("weight_decay":0.01,"amsgrad":false}}}})",
        R"({"newton_cg":{"max_iter":100,"max_inner":200,"tolerance_grad":1e-07,"tolerance_change":1e-09,"C":1.0}})",
        R"({"gauss_newton":{"max_iter":100,"max_inner":200,"tolerance_grad":1e-07,"tolerance_change":1e-09,"C":1.0,)"
        R"("tolerance_inner":1e-06}})",
        R"({"levenberg_marquardt":{"max_iter":100,"max_inner":200,"tolerance_grad":1e-07,"tolerance_change":1e-09,)"
        R"("C":1.0,"tolerance_inner":1e-06,"lambda":0.01,"nu":10.0}})",
        R"({"lookahead":{"k":6,"alpha":0.5,"optimizer":{"adamw":{"lr":0.001,"betas":[0.9,0.999],"eps":1e-08,)"
        R"("weight_decay":0.01,"amsgrad":false}}}})"})
    EXPECT_EQ(to_json(optimizer_of(Json(Json::parse(text).begin().key()).dump(), problems)).dump(), text);
  EXPECT_EQ(to_json(OptimizerSpec{}), to_json(optimizer_of(R"("adamw")", problems)));
  EXPECT_EQ(OptimizerSpec{}.lr(), 1e-3);
  EXPECT_TRUE(problems.empty());
}

TEST(OptimizerSpec, WhatIsWrittenReadsBackTheSame) {
  std::vector<Problem> problems;
  for (const char* text : {R"({"sgd": {"lr": 0.3, "momentum": 0.7, "nesterov": true, "weight_decay": 1e-5}})",
                           R"({"adamw": {"lr": 2, "betas": [0, 0.5], "eps": 1e-3, "amsgrad": true}})",
                           R"({"lookahead": {"alpha": 1, "optimizer": {"rmsprop": {"centered": true}}}})"}) {
    const Json written = to_json(optimizer_of(text, problems));
    EXPECT_EQ(to_json(optimizer_of(written.dump(), problems)), written);
  }
  EXPECT_TRUE(problems.empty());
}

TEST(OptimizerSpec, EveryMistakeIsNamed) {
  std::vector<Problem> problems;
  optimizer_of(R"({"sgd": {"lr": 0, "momentun": 0.9, "nesterov": true}})", problems);
  ASSERT_EQ(problems.size(), 3U);
  EXPECT_EQ(problems[0].subject, "optimizer.sgd.lr");
  EXPECT_EQ(problems[1].subject, "optimizer.sgd.nesterov");
  EXPECT_THAT(problems[2].hint, HasSubstr("momentum"));
}

TEST(OptimizerSpec, AnUnknownNameLeavesAUsableDefault) {
  std::vector<Problem> problems;
  EXPECT_EQ(optimizer_of(R"({"ademw": {"lr": 1}})", problems).lr(), 1e-3);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0].hint, HasSubstr("adamw"));
}

TEST(OptimizerSpec, LimitsAreExact) {
  const auto accepts = [](const std::string& text) {
    std::vector<Problem> problems;
    optimizer_of(text, problems);
    return problems.empty();
  };
  for (const char* good :
       {R"({"sgd": {"lr": 1e-300}})", R"({"sgd": {"momentum": 0.999}})", R"({"sgd": {"dampening": 1}})",
        R"({"sgd": {"momentum": 0.1, "nesterov": true}})", R"({"adamw": {"betas": [0, 0]}})",
        R"({"adamw": {"weight_decay": 0}})", R"({"rmsprop": {"alpha": 0}})", R"({"adadelta": {"rho": 0}})",
        R"({"lookahead": {"k": 1}})", R"({"lookahead": {"alpha": 1}})", R"({"nadam": {"momentum_decay": 0}})"})
    EXPECT_TRUE(accepts(good)) << good;
  for (const char* bad : {R"({"sgd": {"lr": 0}})",
                          R"({"sgd": {"lr": -1}})",
                          R"({"sgd": {"momentum": 1}})",
                          R"({"sgd": {"dampening": 1.1}})",
                          R"({"sgd": {"nesterov": true}})",
                          R"({"sgd": {"momentum": 0.9, "dampening": 0.1, "nesterov": true}})",
                          R"({"adamw": {"betas": [0.9, 1]}})",
                          R"({"adamw": {"betas": [0.9]}})",
                          R"({"adamw": {"betas": 0.9}})",
                          R"({"adamw": {"eps": 0}})",
                          R"({"adamw": {"weight_decay": -1e-9}})",
                          R"({"adamw": {"amsgrad": 1}})",
                          R"({"adamw": 3})",
                          R"({"adagrad": {"lr_decay": -1}})",
                          R"({"adagrad": {"initial_accumulator_value": -1}})",
                          R"({"rmsprop": {"alpha": 1}})",
                          R"({"rmsprop": {"momentum": 1}})",
                          R"({"adadelta": {"rho": 1}})",
                          R"({"nadam": {"momentum_decay": -1}})",
                          R"({"lion": {"eps": 1e-8}})",
                          R"({"lion": {"betas": [0.9, 1]}})",
                          R"({"sam": {"rho": 0}})",
                          R"({"sam": {"adaptive": 1}})",
                          R"({"sam": {"lr": 1}})",
                          R"({"lookahead": {"k": 0}})",
                          R"({"lookahead": {"k": 1.5}})",
                          R"({"lookahead": {"alpha": 0}})",
                          R"({"lookahead": {"alpha": 1.1}})",
                          R"({"lookahead": {"lr": 1}})",
                          R"({"sgd": {}, "adamw": {}})",
                          "[]",
                          "null"})
    EXPECT_FALSE(accepts(bad)) << bad;
}

TEST(OptimizerSpec, SamHoldsAnotherAndNothingHoldsSam) {
  std::vector<Problem> problems;
  const auto spec =
      optimizer_of(R"({"sam": {"optimizer": {"lookahead": {"optimizer": {"adagrad": {"lr": 0.25}}}}}})", problems);
  EXPECT_EQ(spec.lr(), 0.25);
  EXPECT_FALSE(spec.has_momentum());
  EXPECT_TRUE(problems.empty());
  for (const char* bad : {R"({"sam": {"optimizer": "sam"}})", R"({"sam": {"optimizer": "lbfgs"}})",
                          R"({"lookahead": {"optimizer": "sam"}})"}) {
    problems.clear();
    const auto name = optimizer_of(bad, problems).name;
    ASSERT_EQ(problems.size(), 1U) << bad;
    EXPECT_EQ(problems[0].subject, "optimizer." + name + ".optimizer");
  }
}

TEST(OptimizerSpec, LookaheadHoldsAnother) {
  std::vector<Problem> problems;
  EXPECT_EQ(optimizer_of(R"({"lookahead": {"optimizer": {"sgd": {"lr": 0.25}}}})", problems).lr(), 0.25);
  EXPECT_TRUE(problems.empty());
  optimizer_of(R"({"lookahead": {"optimizer": {"sgd": {"lr": -1}}}})", problems);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].subject, "optimizer.lookahead.optimizer.sgd.lr");
  optimizer_of(R"({"lookahead": {"optimizer": {"lookahead": {}}}})", problems);
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(problems[1].subject, "optimizer.lookahead.optimizer");
}

TEST(OptimizerSpec, ThoseOfAllImagesAtOnceTakeNoSteps) {
  std::vector<Problem> problems;
  EXPECT_TRUE(optimizer_of(R"({"lbfgs": {"C": "cv"}})", problems).full_batch());
  EXPECT_EQ(to_json(optimizer_of(R"({"lbfgs": {"max_iter": 100}})", problems))["lbfgs"]["max_eval"], 125);
  for (const char* name : {"newton_cg", "gauss_newton", "levenberg_marquardt"}) {
    EXPECT_TRUE(OptimizerSpec{name}.full_batch()) << name;
    EXPECT_EQ(OptimizerSpec{name}.lr(), 1) << name;
  }
  EXPECT_FALSE(OptimizerSpec{}.full_batch());
  EXPECT_TRUE(problems.empty());
  for (const char* bad : {R"({"lbfgs": {"C": "best"}})", R"({"lbfgs": {"C": 0}})", R"({"lbfgs": {"history_size": 0}})",
                          R"({"newton_cg": {"lr": 1}})", R"({"newton_cg": {"C": "best"}})",
                          R"({"gauss_newton": {"max_inner": 0}})", R"({"levenberg_marquardt": {"nu": 1}})",
                          R"({"levenberg_marquardt": {"lambda": 0}})", R"({"sam": {"optimizer": "newton_cg"}})",
                          R"({"lbfgs": {"line_search_fn": "armijo"}})", R"({"lookahead": {"optimizer": "lbfgs"}})"}) {
    problems.clear();
    optimizer_of(bad, problems);
    EXPECT_EQ(problems.size(), 1U) << bad;
  }
}

TEST(OptimizerSpec, KnowsWhetherAScheduleMayCycleItsMomentum) {
  for (const char* name : {"sgd", "adam", "adamw", "nadam", "radam", "adamax", "rmsprop", "lion", "lookahead"})
    EXPECT_TRUE(OptimizerSpec{name}.has_momentum()) << name;
  for (const char* name : {"adagrad", "adadelta"}) EXPECT_FALSE(OptimizerSpec{name}.has_momentum()) << name;
  EXPECT_FALSE((OptimizerSpec{"lookahead", {{"optimizer", "adagrad"}}}.has_momentum()));
}

TEST(OptimizerSpec, WrittenByHandItIsCheckedWhenUsed) {
  EXPECT_EQ((OptimizerSpec{"sgd", {{"lr", 0.5}}}.lr()), 0.5);
  EXPECT_THROW(make_optimizer({"sgd", {{"lr", -1}}}, {}), Error);
  EXPECT_THROW(make_optimizer({"sgd", {{"betas", {0.9, 0.9}}}}, {}), Error);
}

}  // namespace
}  // namespace graft
