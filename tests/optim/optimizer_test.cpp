#include "graft/optim/optimizer.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <functional>

#include "graft/optim/schedule.h"
#include "support/parity.h"

namespace graft {
namespace {

using test::noted;
using test::ParityFixture;
using test::relative_error;
using testing::HasSubstr;

/// Every rule, with options that need all of its state. The first three are used by name below.
const std::vector<std::string> kSpecs{R"({"sgd": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}})",
                                      R"({"adamw": {"lr": 0.01, "amsgrad": true}})",
                                      R"({"adamw": {"lr": 0.01}})",
                                      R"({"adam": {"lr": 0.01, "weight_decay": 0.1, "amsgrad": true}})",
                                      R"({"nadam": {"lr": 0.01, "weight_decay": 0.1}})",
                                      R"({"radam": {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": true}})",
                                      R"({"adamax": {"lr": 0.01, "weight_decay": 0.1}})",
                                      R"({"adagrad": {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.5}})",
                                      R"({"rmsprop": {"lr": 0.01, "centered": true, "momentum": 0.9}})",
                                      R"({"adadelta": {"weight_decay": 0.1}})",
                                      R"({"lion": {"lr": 0.01, "weight_decay": 0.1}})",
                                      R"({"lookahead": {"k": 3, "optimizer": {"sgd": {"lr": 0.1, "momentum": 0.9}}}})",
                                      R"({"lookahead": {"k": 3, "optimizer": "nadam"}})",
                                      R"({"sam": {"optimizer": {"lookahead": {"k": 3, "optimizer": "sgd"}}}})"};

OptimizerSpec spec_of(const Json& value) {
  std::vector<Problem> problems;
  OptimizerSpec spec = read_optimizer_spec(value, "optimizer", problems);
  if (!problems.empty()) throw Error(std::move(problems));
  return spec;
}

at::Tensor parameter(std::vector<std::int64_t> shape, int seed) {
  at::manual_seed(static_cast<std::uint64_t>(seed));
  return at::randn(shape).set_requires_grad(true);
}

std::vector<ParameterGroup> two_groups() {
  return {{.names = {"a.weight", "a.bias"}, .parameters = {parameter({7, 5}, 1), parameter({7}, 2)}},
          {.names = {"b.weight"}, .parameters = {parameter({3, 33}, 3)}, .lr_scale = 0.25, .weight_decay = false}};
}

/// Gives each parameter a gradient that depends on the step alone, and steps.
void run(Optimizer& optimizer, int first, int end, double lr) {
  for (int step = first; step < end; ++step) {
    at::manual_seed(static_cast<std::uint64_t>(100 + step));
    for (const auto& group : optimizer.groups())
      for (const auto& tensor : group.parameters) tensor.mutable_grad() = at::randn(tensor.sizes());
    optimizer.step({lr, {}});
  }
}

TEST(Optimizer, FiftyStepsAreTorchs) {
  const ParityFixture reference("optim/optimizers.pt");
  const auto cases = reference.cases("optimizer");
  EXPECT_GE(cases.size(), 45U);
  for (const auto& name : cases) {
    const OptimizerSpec spec = spec_of(reference.json(name + "/optimizer"));
    std::vector<Problem> problems;
    const auto schedule = make_schedule(read_schedule_spec(reference.json(name + "/schedule"), "schedule", problems),
                                        spec.lr(), {.epochs = 1, .steps_per_epoch = 50});
    std::vector<ParameterGroup> groups;
    for (const std::string key : {"plain", "scaled", "undecayed"})
      groups.push_back({.names = {key},
                        .parameters = {reference.at("initial/" + key).clone().set_requires_grad(true)},
                        .lr_scale = key == "scaled" ? 0.5 : 1,
                        .weight_decay = key != "undecayed"});
    auto optimizer = make_optimizer(spec, groups);
    for (std::int64_t step = 0; step < 50; ++step) {
      if (step == 25) {  // as after a resume
        const auto state = optimizer->state();
        optimizer = make_optimizer(spec, groups);
        optimizer->load_state(state);
      }
      for (const auto& group : groups)
        group.parameters[0].mutable_grad() = reference.at("gradients/" + group.names[0])[step].clone();
      optimizer->step(schedule(step));
      for (const auto& group : groups)
        ASSERT_LT(noted("optimizers", spec.name,
                        relative_error(group.parameters[0], reference.at(name + "/" + group.names[0])[step])),
                  5e-7)
            << name << ", " << group.names[0] << ", step " << step;
    }
  }
}

TEST(Optimizer, SavedAndLoadedStateGoesOnBitForBit) {
  for (const auto& text : kSpecs) {
    const OptimizerSpec spec = spec_of(Json::parse(text));
    const auto whole = make_optimizer(spec, two_groups());
    run(*whole, 0, 20, 0.01);

    const auto first = make_optimizer(spec, two_groups());
    run(*first, 0, 10, 0.01);
    std::map<std::string, at::Tensor> saved;
    for (const auto& [key, tensor] : first->state()) saved[key] = tensor.clone();
    auto groups = two_groups();
    for (std::size_t g = 0; g < groups.size(); ++g)
      for (std::size_t i = 0; i < groups[g].parameters.size(); ++i)
        groups[g].parameters[i].set_data(first->groups()[g].parameters[i].detach().clone());
    const auto second = make_optimizer(spec, groups);
    second->load_state(saved);
    run(*second, 10, 20, 0.01);

    for (std::size_t g = 0; g < groups.size(); ++g)
      for (std::size_t i = 0; i < groups[g].parameters.size(); ++i)
        EXPECT_TRUE(groups[g].parameters[i].equal(whole->groups()[g].parameters[i])) << text;
    const auto expected = whole->state();
    const auto found = second->state();
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [key, tensor] : expected) EXPECT_TRUE(found.at(key).equal(tensor)) << key;
  }
}

TEST(Optimizer, LoadedStateIsACopy) {
  const auto first = make_optimizer(spec_of(Json::parse(kSpecs[0])), two_groups());
  run(*first, 0, 1, 0.01);
  const auto second = make_optimizer(spec_of(Json::parse(kSpecs[0])), two_groups());
  second->load_state(first->state());
  const at::Tensor before = first->state().at("a.bias/momentum_buffer").clone();
  run(*second, 1, 2, 0.01);
  EXPECT_TRUE(first->state().at("a.bias/momentum_buffer").equal(before));
  EXPECT_FALSE(second->state().at("a.bias/momentum_buffer").equal(before));
}

TEST(Optimizer, StateIsNamedAfterTheParameters) {
  const auto optimizer = make_optimizer(spec_of(Json::parse(kSpecs[1])), two_groups());
  EXPECT_TRUE(optimizer->state().empty());
  run(*optimizer, 0, 3, 0.01);
  std::vector<std::string> keys;
  for (const auto& [key, tensor] : optimizer->state()) keys.push_back(key);
  EXPECT_EQ(keys.size(), 12U);
  EXPECT_THAT(keys, testing::IsSupersetOf({"a.weight/exp_avg", "b.weight/exp_avg_sq", "a.bias/max_exp_avg_sq"}));
  EXPECT_EQ(optimizer->state().at("a.bias/step").item<double>(), 3);
}

TEST(Optimizer, AParameterWithoutGradientIsLeftAloneAndStartsAfreshLater) {
  for (const auto& text : kSpecs) {
    auto late = two_groups(), alone = two_groups();
    const auto optimizer = make_optimizer(spec_of(Json::parse(text)), late);
    const at::Tensor untouched = late[0].parameters[1].detach().clone();
    for (int step = 0; step < 3; ++step) {
      late[0].parameters[0].mutable_grad() = at::ones({7, 5});
      optimizer->step({0.1, {}});
    }
    EXPECT_TRUE(late[0].parameters[1].equal(untouched));
    for (const auto& [key, tensor] : optimizer->state()) EXPECT_THAT(key, testing::StartsWith("a.weight/")) << text;

    // Its first step then equals the first step of a new optimizer, beside a neighbour in its fourth.
    const auto fresh = make_optimizer(spec_of(Json::parse(text)), alone);
    late[0].parameters[1].mutable_grad() = at::ones({7});
    alone[0].parameters[1].mutable_grad() = at::ones({7});
    optimizer->step({0.1, {}});
    fresh->step({0.1, {}});
    EXPECT_TRUE(late[0].parameters[1].equal(alone[0].parameters[1])) << text;
  }
}

TEST(Optimizer, MemoryLayoutsOfGradientAndParameterMayDiffer) {
  for (const auto& text : kSpecs) {
    const at::Tensor plain = parameter({4, 3, 2, 2}, 1);
    const at::Tensor last = plain.detach().contiguous(at::MemoryFormat::ChannelsLast).set_requires_grad(true);
    const auto a = make_optimizer(spec_of(Json::parse(text)), {{.names = {"w"}, .parameters = {plain}}});
    const auto b = make_optimizer(spec_of(Json::parse(text)), {{.names = {"w"}, .parameters = {last}}});
    run(*a, 0, 3, 0.1);
    run(*b, 0, 3, 0.1);  // contiguous gradients for a channels_last parameter
    EXPECT_TRUE(plain.equal(last)) << text;
    EXPECT_TRUE(last.is_contiguous(at::MemoryFormat::ChannelsLast));
  }
}

TEST(Optimizer, ParametersOfSeveralTypesTrainTogether) {
  for (const auto& text : kSpecs) {
    const at::Tensor narrow = parameter({9}, 1), wide = at::ones({9}, at::kDouble).set_requires_grad(true);
    const auto optimizer =
        make_optimizer(spec_of(Json::parse(text)), {{.names = {"n", "w"}, .parameters = {narrow, wide}}});
    const at::Tensor before = narrow.detach().clone();
    narrow.mutable_grad() = at::ones({9});
    wide.mutable_grad() = at::ones({9}, at::kDouble);
    optimizer->step({0.1, {}});
    EXPECT_TRUE((narrow < before).all().item<bool>() && (wide < 1).all().item<bool>()) << text;
  }
}

TEST(Optimizer, ZeroGradUndefinesThem) {
  const auto optimizer = make_optimizer({}, two_groups());
  run(*optimizer, 0, 1, 0.1);
  optimizer->zero_grad();
  for (const auto& group : optimizer->groups())
    for (const auto& tensor : group.parameters) EXPECT_FALSE(tensor.grad().defined());
}

TEST(Optimizer, MomentumOfTheScheduleReplacesTheOption) {
  const auto moved = [](const std::string& text, std::optional<double> momentum) {
    auto groups = two_groups();
    const auto optimizer = make_optimizer(spec_of(Json::parse(text)), groups);
    for (int step = 0; step < 3; ++step) {
      groups[0].parameters[0].mutable_grad() = at::full({7, 5}, 1.0 + step);
      optimizer->step({0.1, momentum});
    }
    return groups[0].parameters[0].detach();
  };
  EXPECT_TRUE(moved(R"({"sgd": {"momentum": 0.5}})", 0.9).equal(moved(R"({"sgd": {"momentum": 0.9}})", {})));
  EXPECT_TRUE(moved(R"({"sgd": {}})", 0.9).equal(moved(R"({"sgd": {"momentum": 0.9}})", {})));
  EXPECT_TRUE(moved(R"({"sgd": {"momentum": 0.9}})", 0.0).equal(moved(R"({"sgd": {}})", {})));
  EXPECT_TRUE(moved(R"("rmsprop")", 0.9).equal(moved(R"({"rmsprop": {"momentum": 0.9}})", {})));
  EXPECT_TRUE(moved(R"("adagrad")", 0.9).equal(moved(R"("adagrad")", {})));
  for (const char* name : {"adam", "nadam", "radam", "adamax", "lion"})
    EXPECT_TRUE(moved(R"({")" + std::string(name) + R"(": {"betas": [0.9, 0.99]}})", 0.5)
                    .equal(moved(R"({")" + std::string(name) + R"(": {"betas": [0.5, 0.99]}})", {})))
        << name;
  EXPECT_TRUE(moved(R"({"lookahead": {"k": 2, "optimizer": "sgd"}})", 0.9)
                  .equal(moved(R"({"lookahead": {"k": 2, "optimizer": {"sgd": {"momentum": 0.9}}}})", {})));
  EXPECT_TRUE(moved(R"("adamw")", 0.5).equal(moved(R"({"adamw": {"betas": [0.5, 0.999]}})", {})));
}

TEST(Optimizer, StateThatDoesNotFitIsRefusedAndChangesNothing) {
  const auto optimizer = make_optimizer(spec_of(Json::parse(kSpecs[2])), two_groups());
  run(*optimizer, 0, 1, 0.01);
  const auto good = optimizer->state();
  const at::Tensor kept = good.at("a.weight/exp_avg").clone();
  const auto refused = [&](const std::function<void(std::map<std::string, at::Tensor>&)>& spoil, const char* word) {
    auto bad = good;
    bad["a.weight/exp_avg"] = at::zeros({7, 5});
    spoil(bad);
    try {
      optimizer->load_state(bad);
      FAIL() << "accepted: " << word;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(word));
    }
    EXPECT_TRUE(optimizer->state().at("a.weight/exp_avg").equal(kept));
  };
  refused([](auto& state) { state["a.wait/exp_avg"] = at::zeros({1}); }, "a.weight");
  refused([](auto& state) { state["a.weight/momentum_buffer"] = at::zeros({7, 5}); }, "a.weight/momentum_buffer");
  refused([](auto& state) { state["a.weight/exp_avg"] = at::zeros({5, 7}); }, "[7, 5]");
  refused([](auto& state) { state["a.weight/exp_avg_sq"] = at::zeros({7, 5}, at::kDouble); }, "exp_avg_sq");
  refused([](auto& state) { state.erase("a.weight/step"); }, "incomplete");
}

TEST(Optimizer, GradientsAreKept) {
  for (const auto& text : kSpecs) {
    const at::Tensor tensor = parameter({4}, 1), gradient = at::ones({4});
    const auto optimizer = make_optimizer(spec_of(Json::parse(text)), {{.names = {"w"}, .parameters = {tensor}}});
    tensor.mutable_grad() = gradient;
    for (int step = 0; step < 4; ++step) optimizer->step({0.1, {}});
    EXPECT_TRUE(gradient.equal(at::ones({4})) && tensor.grad().is_same(gradient)) << text;
  }
}

TEST(Optimizer, LookaheadIsWhatItWrapsUntilTheSecondRound) {
  auto wrapped = two_groups(), alone = two_groups();
  const auto lookahead =
      make_optimizer(spec_of(Json::parse(R"({"lookahead": {"k": 3, "optimizer": {"sgd": {"lr": 0.1}}}})")), wrapped);
  const auto sgd = make_optimizer(spec_of(Json::parse(R"({"sgd": {"lr": 0.1}})")), alone);
  run(*lookahead, 0, 5, 0.1);
  run(*sgd, 0, 5, 0.1);
  EXPECT_TRUE(wrapped[0].parameters[0].equal(alone[0].parameters[0]));
  const at::Tensor slow = lookahead->state().at("a.weight/lookahead_slow").clone();
  run(*lookahead, 5, 6, 0.1);
  run(*sgd, 5, 6, 0.1);
  EXPECT_LT(relative_error(wrapped[0].parameters[0], (slow + alone[0].parameters[0]) / 2), 1e-6);
  EXPECT_EQ(lookahead->state().at("b.weight/lookahead_step").item<double>(), 6);
}

TEST(Optimizer, SamStepsByTheGradientOfTheHighestLossNearby) {
  const ParityFixture reference("optim/sam.pt");
  const auto cases = reference.cases("optimizer");
  EXPECT_EQ(cases.size(), 5U);
  for (const auto& name : cases) {
    const at::Tensor weight = reference.at("initial/weight").clone().set_requires_grad(true);
    const at::Tensor bias = reference.at("initial/bias").clone().set_requires_grad(true);
    const std::vector<ParameterGroup> groups{
        {.names = {"weight"}, .parameters = {weight}},
        {.names = {"bias"}, .parameters = {bias}, .lr_scale = 0.5, .weight_decay = false}};
    const OptimizerSpec spec = spec_of(reference.json(name + "/optimizer"));
    const auto optimizer = make_optimizer(spec, groups);
    ASSERT_TRUE(optimizer->ascends());
    const auto gradient = [&] {
      optimizer->zero_grad();
      const at::Tensor logits = at::linear(reference.at("features"), weight, bias).tanh();
      at::cross_entropy_loss(logits, reference.at("targets")).backward();
    };
    for (std::int64_t step = 0; step < reference.at(name + "/weight").size(0); ++step) {
      gradient();
      optimizer->ascend();
      gradient();
      optimizer->step({spec.lr(), {}});
      for (const auto& group : groups)
        ASSERT_LT(noted("optimizers", "sam",
                        relative_error(group.parameters[0], reference.at(name + "/" + group.names[0])[step])),
                  1e-9)
            << name << ", " << group.names[0] << ", step " << step;
    }
  }
}

TEST(Optimizer, AscendingChangesOnlyWhatHasAGradientAndOnlyUntilTheStep) {
  auto groups = two_groups();
  const auto optimizer = make_optimizer(spec_of(Json::parse(R"({"sam": {"rho": 2, "optimizer": "sgd"}})")), groups);
  const at::Tensor moved = groups[0].parameters[0], still = groups[0].parameters[1];
  const at::Tensor before = moved.detach().clone(), untouched = still.detach().clone();
  moved.mutable_grad() = at::ones({7, 5});
  optimizer->ascend();
  EXPECT_NEAR((moved - before).norm().item<double>(), 2, 1e-5);
  EXPECT_TRUE(still.equal(untouched));
  EXPECT_ANY_THROW(optimizer->ascend());
  moved.mutable_grad().zero_();
  optimizer->step({0.1, {}});
  EXPECT_TRUE(moved.equal(before));
  EXPECT_FALSE(make_optimizer({}, two_groups())->ascends());
}

TEST(Optimizer, AParameterStandsInOnePlaceOnly) {
  const at::Tensor shared = parameter({2}, 1);
  EXPECT_ANY_THROW(make_optimizer({}, {{.names = {"a", "b"}, .parameters = {shared, shared}}}));
  EXPECT_ANY_THROW(make_optimizer({}, {{.names = {"a", "a"}, .parameters = {shared, parameter({2}, 2)}}}));
  EXPECT_ANY_THROW(make_optimizer({}, {{.names = {"a"}, .parameters = {shared, parameter({2}, 2)}}}));
}

}  // namespace
}  // namespace graft
