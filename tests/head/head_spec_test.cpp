#include "graft/head/head_spec.h"

#include <gmock/gmock.h>

#include "graft/head/activation.h"
#include "graft/head/initialize.h"

namespace graft {
namespace {

using testing::HasSubstr;

std::vector<Problem> problems_of(const std::string& text) {
  std::vector<Problem> problems;
  read_head_spec(Json::parse(text), "head", problems);
  return problems;
}

TEST(HeadSpec, ReadsTheRecipesExample) {
  std::vector<Problem> problems;
  const HeadSpec spec = read_head_spec(Json::parse(R"([{"batch_norm": {}}, {"dropout": 0.25},
      {"linear": 256, "init": "kaiming_normal"}, {"activation": "relu"}, {"batch_norm": {"eps": 0.001}},
      {"linear": "classes", "bias": false}])"),
                                       "head", problems);
  EXPECT_TRUE(problems.empty());
  ASSERT_EQ(spec.layers.size(), 6U);
  const std::vector<std::string> expected{
      R"({"batch_norm":{"momentum":0.1,"eps":1e-05}})",
      R"({"dropout":0.25})",
      R"({"linear":256,"bias":true,"init":{"kaiming_normal":{"a":0.0,"mode":"fan_in","nonlinearity":"leaky_relu"}}})",
      R"({"activation":{"relu":{}}})",
      R"({"batch_norm":{"momentum":0.1,"eps":0.001}})",
      R"({"linear":"classes","bias":false,"init":{"default":{}}})"};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(spec.layers[i].json.dump(), expected[i]);
}

TEST(HeadSpec, WhatIsWrittenReadsBackTheSame) {
  Json every = Json::parse(R"([{"batch_norm": {"momentum": 0.25, "eps": 0.001}}, {"dropout": 0.125},
      {"layer_norm": {"eps": 0.5}}, {"alpha_dropout": 0.125}, {"activation": {"maxout": {"pieces": 3}}},
      {"activation": {"softplus": {"beta": 2}}}, {"linear": 3, "bias": 0.01, "init": {"trunc_normal": {"b": 1}}}])");
  for (const auto& name : activation_names()) every.push_back({{"activation", name}});
  for (const auto& name : initialization_names()) every.push_back({{"linear", 3}, {"init", name}, {"bias", false}});
  every.push_back({{"linear", "classes"}});
  std::vector<Problem> problems;
  const HeadSpec spec = read_head_spec(every, "head", problems);
  EXPECT_EQ(read_head_spec(to_json(spec), "head", problems), spec);
  EXPECT_EQ(to_json(read_head_spec(to_json(spec), "head", problems)), to_json(spec));
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(to_json(spec).back().dump(), R"({"linear":"classes","bias":true,"init":{"default":{}}})");
  for (const char* last : {R"([{"linear": "classes", "bias": "prior"}])", R"([{"cosine": "classes", "scale": 3}])"}) {
    const HeadSpec one = read_head_spec(Json::parse(last), "head", problems);
    EXPECT_EQ(read_head_spec(to_json(one), "head", problems), one);
  }
  EXPECT_TRUE(problems.empty());
}

TEST(HeadSpec, EveryMistakeIsNamedWithItsPathAndTheNearestName) {
  const auto problems = problems_of(R"([{"linear": 8, "init": "kaimin_normal", "biass": true}, {"dropuot": 0.5},
      {"activation": "rellu"}, {"batch_norm": {"epz": 1}}, {"linear": "classes"}])");
  ASSERT_EQ(problems.size(), 5U);
  EXPECT_EQ(problems[0].subject, "head[0].init");
  EXPECT_THAT(problems[0].hint, HasSubstr("kaiming_normal"));
  EXPECT_EQ(problems[1].subject, "head[0].biass");
  EXPECT_EQ(problems[2].subject, "head[1]");
  EXPECT_THAT(problems[2].hint, HasSubstr("dropout"));
  EXPECT_EQ(problems[3].subject, "head[2].activation");
  EXPECT_EQ(problems[4].subject, "head[3].batch_norm.epz");
}

TEST(HeadSpec, LimitsAreExact) {
  const auto accepts = [](const std::string& layer) {
    return problems_of("[" + layer + R"(, {"linear": "classes"}])").empty();
  };
  for (const char* good :
       {R"({"dropout": 0})", R"({"dropout": 0.999})", R"({"linear": 1})", R"({"linear": 65536})",
        R"({"batch_norm": {"momentum": 0}})", R"({"batch_norm": {"momentum": 1}})", R"({"linear": 2, "bias": -1})",
        R"({"alpha_dropout": 0.999})", R"({"activation": {"rrelu": {"lower": 0.1, "upper": 0.1}}})",
        R"({"activation": {"elu": {"alpha": 0}}})", R"({"linear": 2, "init": {"kaiming_uniform": {"a": 2}}})"})
    EXPECT_TRUE(accepts(good)) << good;
  for (const char* bad : {R"({"dropout": 1})",
                          R"({"dropout": -0.1})",
                          R"({"linear": 0})",
                          R"({"linear": 65537})",
                          R"({"linear": 2.5})",
                          R"({"linear": "class"})",
                          R"({"batch_norm": {"momentum": 1.01}})",
                          R"({"batch_norm": {"eps": 0}})",
                          R"({"alpha_dropout": 1})",
                          R"({"layer_norm": {"eps": 0}})",
                          R"({"activation": {"rrelu": {"lower": 0.5}}})",
                          R"({"activation": {"celu": {"alpha": 0}}})",
                          R"({"activation": {"relu": {"slope": 1}}})",
                          R"({"activation": {"gelu": {"approximate": "erf"}}})",
                          R"({"activation": {"maxout": {"pieces": 1}}})",
                          R"({"linear": 2, "bias": "prior"})",
                          R"({"linear": 2, "bias": "yes"})",
                          R"({"linear": 2, "init": {"lsuv": {"tol": 0}}})",
                          R"({"linear": 2, "init": {"lsuv": {"max_iter": 0}}})",
                          R"({"cosine": 3})",
                          R"({"linear": 2, "init": {"normal": {"std": 0}}})",
                          R"({"linear": 2, "init": {"trunc_normal": {"a": 2}}})",
                          R"({"linear": 2, "init": {"kaiming_normal": {"a": 1, "nonlinearity": "tanh"}}})",
                          R"({"batch_norm": null})",
                          R"("relu")",
                          "3",
                          "{}",
                          "null",
                          R"({"dropout": 0.1, "linear": 3})"})
    EXPECT_FALSE(accepts(bad)) << bad;
}

TEST(HeadSpec, EndsInTheClassesAndNowhereElse) {
  EXPECT_TRUE(problems_of(R"([{"linear": "classes"}])").empty());
  EXPECT_TRUE(problems_of(R"([{"cosine": "classes"}])").empty());
  for (const char* bad :
       {"[]", "{}", "null", R"([{"linear": 4}])", R"([{"linear": "classes"}, {"activation": "relu"}])",
        R"([{"linear": "classes"}, {"linear": "classes"}])", R"([{"cosine": "classes", "init": "lsuv"}])",
        R"([{"cosine": "classes"}, {"dropout": 0.5}])"})
    EXPECT_EQ(problems_of(bad).empty(), false) << bad;
}

}  // namespace
}  // namespace graft
