#include "graft/optim/penalty.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "support/parity.h"

namespace graft {
namespace {

using test::noted;
using test::ParityFixture;
using test::relative_error;

/// A head and a layer of the backbone, with their biases, as a network groups them.
std::vector<ParameterGroup> groups_of(const ParityFixture& reference) {
  const auto parameter = [&](const std::string& name) {
    return reference.at("parameters/" + name).clone().set_requires_grad(true);
  };
  return {{.names = {"head.weight", "backbone.weight"},
           .parameters = {parameter("head.weight"), parameter("backbone.weight")}},
          {.names = {"head.bias", "backbone.bias"},
           .parameters = {parameter("head.bias"), parameter("backbone.bias")},
           .weight_decay = false}};
}

TEST(Penalty, ValuesAndGradientsAreTheFormulas) {
  const ParityFixture reference("optim/penalties.pt");
  const std::map<std::string, at::Tensor> pretrained{{"backbone.weight", reference.at("pretrained/backbone.weight")},
                                                     {"backbone.bias", reference.at("pretrained/backbone.bias")}};
  const auto cases = reference.cases("penalty");
  EXPECT_EQ(cases.size(), 9U);
  for (const auto& name : cases) {
    std::vector<Problem> problems;
    const PenaltySpec spec = read_penalty_spec(reference.json(name + "/penalty"), "penalty", problems);
    ASSERT_TRUE(problems.empty()) << name;
    const auto groups = groups_of(reference);
    const Penalty penalty(spec, groups, pretrained);
    EXPECT_LT(noted("penalties", spec.name, relative_error(penalty.value(), reference.at(name + "/value"))), 1e-12)
        << name;
    for (const auto& group : groups)
      for (const auto& parameter : group.parameters) parameter.mutable_grad() = at::zeros_like(parameter);
    for (int twice = 0; twice < 2; ++twice) penalty.add_gradient();
    for (const auto& group : groups)
      for (std::size_t i = 0; i < group.names.size(); ++i)
        EXPECT_LT(noted("penalties", spec.name,
                        relative_error(group.parameters[i].grad() / 2, reference.at(name + "/" + group.names[i]))),
                  1e-12)
            << name << ", " << group.names[i];
  }
}

TEST(Penalty, NoneAddsNothing) {
  const ParityFixture reference("optim/penalties.pt");
  const auto groups = groups_of(reference);
  const Penalty penalty({}, groups, {});
  EXPECT_EQ(penalty.value().item<double>(), 0);
  penalty.add_gradient();
  EXPECT_FALSE(groups[0].parameters[0].grad().defined());
}

TEST(PenaltySpec, ReadsAndWritesNamesWithOptions) {
  std::vector<Problem> problems;
  for (const char* text :
       {R"({"none":{}})", R"({"l1":{"alpha":0.0001,"biases":false}})", R"({"l2":{"alpha":0.0001,"biases":false}})",
        R"({"elasticnet":{"alpha":0.0001,"biases":false,"l1_ratio":0.15}})",
        R"({"l2_sp":{"alpha":0.01,"beta":0.01,"biases":false}})"}) {
    const auto spec = read_penalty_spec(Json::parse(text).begin().key(), "penalty", problems);
    EXPECT_EQ(to_json(spec).dump(), text);
    EXPECT_EQ(spec.holds_to_pretrained(), spec.name == "l2_sp");
  }
  EXPECT_TRUE(problems.empty());
  for (const char* bad :
       {R"({"l1": {"alpha": -1}})", R"({"elasticnet": {"l1_ratio": 1.1}})", R"({"l2_sp": {"beta": -1}})",
        R"({"l2": {"beta": 1}})", R"({"l2": {"biases": 1}})", R"("l3")"}) {
    problems.clear();
    read_penalty_spec(Json::parse(bad), "penalty", problems);
    EXPECT_EQ(problems.size(), 1U) << bad;
  }
}

}  // namespace
}  // namespace graft
