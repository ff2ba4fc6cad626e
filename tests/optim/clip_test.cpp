#include "graft/optim/clip.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "support/parity.h"

namespace graft {
namespace {

using test::ParityFixture;
using test::relative_error;
using testing::HasSubstr;

ClipSpec clip_of(const std::string& text, std::vector<Problem>& problems) {
  return read_clip_spec(Json::parse(text), "clip", problems);
}

TEST(Clip, IsTorchsAndTimms) {
  const ParityFixture reference("optim/clip.pt");
  const std::vector<std::string> names{"linear", "conv", "bias", "scalar", "double"};
  const auto cases = reference.cases("clip");
  EXPECT_GE(cases.size(), 9U);
  for (const auto& name : cases) {
    std::vector<Problem> problems;
    const ClipSpec spec = clip_of(reference.json(name + "/clip").dump(), problems);
    ASSERT_TRUE(problems.empty());
    std::vector<ParameterGroup> groups(2);
    for (std::size_t i = 0; i < names.size(); ++i) {
      auto& group = groups[i % 2];
      group.names.push_back(names[i]);
      group.parameters.push_back(reference.at("parameters/" + names[i]).clone().set_requires_grad(true));
      group.parameters.back().mutable_grad() = reference.at("gradients/" + names[i]).clone();
    }
    clip_gradients(spec, groups);
    for (const auto& group : groups)
      for (std::size_t i = 0; i < group.names.size(); ++i) {
        const double apart = relative_error(group.parameters[i].grad(), reference.at(name + "/" + group.names[i]));
        EXPECT_LT(test::noted("clip", spec.name, apart), 1e-7) << name << ", " << group.names[i];
        EXPECT_TRUE(group.parameters[i].equal(reference.at("parameters/" + group.names[i])));
      }
  }
}

TEST(Clip, ParametersWithoutAGradientAreLeftAlone) {
  const at::Tensor still = at::ones({2}).set_requires_grad(true), moving = at::ones({2}).set_requires_grad(true);
  for (const char* name : {"none", "norm", "value", "adaptive"}) {
    clip_gradients({name, 0.5}, {{.names = {"still"}, .parameters = {still}}});
    moving.mutable_grad() = at::full({2}, 100.0);
    clip_gradients({name, 0.5}, {{.names = {"still", "moving"}, .parameters = {still, moving}}});
    EXPECT_FALSE(still.grad().defined()) << name;
    EXPECT_EQ(moving.grad()[0].item<double>() == 100, std::string(name) == "none") << name;
  }
}

TEST(ClipSpec, WhatIsWrittenReadsBackTheSame) {
  std::vector<Problem> problems;
  for (const char* text : {R"("none")", R"({"norm":1.5})", R"({"value":0.5})", R"({"adaptive":0.01})"})
    EXPECT_EQ(to_json(clip_of(text, problems)).dump(), text);
  EXPECT_EQ(to_json(ClipSpec{}).dump(), R"("none")");
  EXPECT_TRUE(problems.empty());
}

TEST(ClipSpec, EveryMistakeIsNamed) {
  const auto problem = [](const char* text) {
    std::vector<Problem> problems;
    EXPECT_EQ(clip_of(text, problems).name, "none") << text;
    return problems.size() == 1 ? problems[0] : Problem{"not one problem", text, "", ""};
  };
  for (const char* text : {"1.0", R"("norm")", "{}", R"({"norm": 1, "value": 1})", "null", "[]"})
    EXPECT_EQ(problem(text).subject, "clip") << text;
  for (const char* text : {R"({"norm": 0})", R"({"norm": -1})", R"({"norm": {}})", R"({"norm": "1"})"})
    EXPECT_EQ(problem(text).subject, "clip.norm") << text;
  EXPECT_EQ(problem(R"({"nrom": 1})").subject, "clip.nrom");
  EXPECT_THAT(problem(R"({"nrom": 1})").hint, HasSubstr("norm"));
}

}  // namespace
}  // namespace graft
