#include <gmock/gmock.h>

#include "graft/optim/optimizer.h"

namespace graft {
namespace {

using testing::HasSubstr;

OptimizerSpec read(const std::string& text, std::vector<Problem>& problems) {
  return read_optimizer_spec(Json::parse(text), "optimizer", problems);
}

TEST(OptimizerSpec, DefaultsAreTorchs) {
  std::vector<Problem> problems;
  EXPECT_EQ(to_json(read(R"("sgd")", problems)).dump(),
            R"({"sgd":{"lr":0.001,"momentum":0.0,"dampening":0.0,"weight_decay":0.0,"nesterov":false}})");
  EXPECT_EQ(to_json(read(R"({"adamw": {}})", problems)).dump(),
            R"({"adamw":{"lr":0.001,"betas":[0.9,0.999],"eps":1e-08,"weight_decay":0.01,"amsgrad":false}})");
  EXPECT_EQ(to_json(OptimizerSpec{}), to_json(read(R"("adamw")", problems)));
  EXPECT_EQ(OptimizerSpec{}.lr(), 1e-3);
  EXPECT_TRUE(problems.empty());
}

TEST(OptimizerSpec, WhatIsWrittenReadsBackTheSame) {
  std::vector<Problem> problems;
  for (const char* text : {R"({"sgd": {"lr": 0.3, "momentum": 0.7, "nesterov": true, "weight_decay": 1e-5}})",
                           R"({"adamw": {"lr": 2, "betas": [0, 0.5], "eps": 1e-3, "amsgrad": true}})"}) {
    const Json written = to_json(read(text, problems));
    EXPECT_EQ(to_json(read(written.dump(), problems)), written);
  }
  EXPECT_TRUE(problems.empty());
}

TEST(OptimizerSpec, EveryMistakeIsNamed) {
  std::vector<Problem> problems;
  read(R"({"sgd": {"lr": 0, "momentun": 0.9, "nesterov": true}})", problems);
  ASSERT_EQ(problems.size(), 3U);
  EXPECT_EQ(problems[0].subject, "optimizer.sgd.lr");
  EXPECT_EQ(problems[1].subject, "optimizer.sgd.nesterov");
  EXPECT_THAT(problems[2].hint, HasSubstr("momentum"));
}

TEST(OptimizerSpec, AnUnknownNameLeavesAUsableDefault) {
  std::vector<Problem> problems;
  EXPECT_EQ(read(R"({"adam": {"lr": 1}})", problems).lr(), 1e-3);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0].hint, HasSubstr("adamw"));
}

TEST(OptimizerSpec, LimitsAreExact) {
  const auto accepts = [](const std::string& text) {
    std::vector<Problem> problems;
    read(text, problems);
    return problems.empty();
  };
  for (const char* good : {R"({"sgd": {"lr": 1e-300}})", R"({"sgd": {"momentum": 0.999}})",
                           R"({"sgd": {"dampening": 1}})", R"({"sgd": {"momentum": 0.1, "nesterov": true}})",
                           R"({"adamw": {"betas": [0, 0]}})", R"({"adamw": {"weight_decay": 0}})"})
    EXPECT_TRUE(accepts(good)) << good;
  for (const char* bad :
       {R"({"sgd": {"lr": 0}})", R"({"sgd": {"lr": -1}})", R"({"sgd": {"momentum": 1}})",
        R"({"sgd": {"dampening": 1.1}})", R"({"sgd": {"nesterov": true}})",
        R"({"sgd": {"momentum": 0.9, "dampening": 0.1, "nesterov": true}})", R"({"adamw": {"betas": [0.9, 1]}})",
        R"({"adamw": {"betas": [0.9]}})", R"({"adamw": {"betas": 0.9}})", R"({"adamw": {"eps": 0}})",
        R"({"adamw": {"weight_decay": -1e-9}})", R"({"adamw": {"amsgrad": 1}})", R"({"adamw": 3})",
        R"({"sgd": {}, "adamw": {}})", "[]", "null"})
    EXPECT_FALSE(accepts(bad)) << bad;
}

TEST(OptimizerSpec, WrittenByHandItIsCheckedWhenUsed) {
  EXPECT_EQ((OptimizerSpec{"sgd", {{"lr", 0.5}}}.lr()), 0.5);
  EXPECT_THROW(make_optimizer({"sgd", {{"lr", -1}}}, {}), Error);
  EXPECT_THROW(make_optimizer({"sgd", {{"betas", {0.9, 0.9}}}}, {}), Error);
}

}  // namespace
}  // namespace graft
