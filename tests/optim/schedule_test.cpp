#include "graft/optim/schedule.h"

#include <gmock/gmock.h>

#include <cmath>

#include "support/parity.h"

namespace graft {
namespace {

using test::ParityFixture;
using testing::HasSubstr;

ScheduleSpec schedule_of(const std::string& text, std::vector<Problem>& problems) {
  return read_schedule_spec(Json::parse(text), "schedule", problems);
}

ScheduleSpec schedule_spec_of(const std::string& text) {
  std::vector<Problem> problems;
  ScheduleSpec spec = schedule_of(text, problems);
  if (!problems.empty()) throw Error(std::move(problems));
  return spec;
}

TEST(Schedule, EveryStepIsTorchs) {
  const ParityFixture reference("optim/schedules.pt");
  const double lr = reference.at("lr").item<double>(), unset = reference.at("momentum").item<double>();
  const auto cases = reference.cases("settings");
  EXPECT_GE(cases.size(), 49U);
  for (const auto& name : cases) {
    const auto plan = reference.at(name + "/plan");
    const ScheduleSpec spec = schedule_spec_of(reference.json(name + "/schedule").dump());
    StepPlan steps{plan[0].item<std::int64_t>(), plan[1].item<std::int64_t>()};
    if (reference.has(name + "/measured")) {
      const at::Tensor values = reference.at(name + "/measured").contiguous();
      const auto* begin = values.const_data_ptr<double>();
      steps.measured = {{begin, begin + values.numel()}, reference.at(name + "/more_is_better").item<bool>()};
    }
    const auto schedule = make_schedule(spec, lr, steps);
    const auto& rows = reference.at(name + "/settings");
    for (std::int64_t step = 0; step < rows.size(0); ++step) {
      const StepSettings settings = schedule(step);
      const double expected = rows[step][0].item<double>();
      const double momentum = settings.momentum.value_or(unset) - rows[step][1].item<double>();
      const double apart = std::max(std::abs(settings.lr - expected) / lr, std::abs(momentum));
      EXPECT_LT(test::noted("schedules", spec.name, apart), 1e-9) << name << ", step " << step;
    }
  }
}

TEST(Schedule, BeyondTheEndTheLastStepHolds) {
  for (const char* text :
       {R"("constant")", R"({"step": {"step_size": 1}})", R"("cosine")", R"("one_cycle")",
        R"({"one_cycle": {"three_phase": true}})", R"({"cosine": {"warmup_epochs": 1}})",
        R"({"multi_step": {"milestones": [1, 3]}})", R"({"exponential": {"gamma": 0.9}})", R"("polynomial")",
        R"({"cosine_warm_restarts": {"T_0": 1, "T_mult": 2}})", R"("warmup_stable_decay")", R"("reduce_on_plateau")",
        R"({"cyclic": {"base_lr": 0.01, "step_size_up": 1}})"}) {
    const auto schedule = make_schedule(schedule_spec_of(text), 0.1, {.epochs = 3, .steps_per_epoch = 7});
    const StepSettings last = schedule(20);
    for (const std::int64_t beyond : {21LL, 22LL, 1'000'000'000'000LL}) {
      EXPECT_EQ(schedule(beyond).lr, last.lr) << text;
      EXPECT_EQ(schedule(beyond).momentum, last.momentum) << text;
    }
    EXPECT_ANY_THROW(schedule(-1)) << text;
  }
}

TEST(Schedule, PlansOfOneAndTwoStepsHaveFiniteRates) {
  for (const std::int64_t steps : {1, 2})
    for (const char* text : {R"("constant")", R"({"step": {"step_size": 1}})", R"("cosine")", R"("one_cycle")",
                             R"({"one_cycle": {"three_phase": true}})", R"({"one_cycle": {"pct_start": 1}})",
                             R"({"one_cycle": {"pct_start": 0}})", R"({"one_cycle": {"pct_start": 0.5}})",
                             R"({"cosine": {"warmup_epochs": 1}})", R"({"constant": {"warmup_epochs": 0.5}})",
                             R"({"multi_step": {"milestones": [1]}})", R"({"exponential": {"gamma": 0.9}})",
                             R"("polynomial")", R"({"cosine_warm_restarts": {"T_0": 1}})", R"("warmup_stable_decay")",
                             R"({"warmup_stable_decay": {"decay": "linear", "decay_fraction": 1}})",
                             R"({"cyclic": {"base_lr": 0.01, "step_size_up": 1}})",
                             R"({"cyclic": {"base_lr": 0.01, "step_size_up": 0.01}})"}) {
      const auto schedule = make_schedule(schedule_spec_of(text), 0.1, {.epochs = 1, .steps_per_epoch = steps});
      for (std::int64_t step = 0; step < steps; ++step) {
        EXPECT_GT(schedule(step).lr, 0) << text << ", " << step << " of " << steps;
        EXPECT_LE(schedule(step).lr, 0.1) << text << ", " << step << " of " << steps;
      }
    }
}

TEST(Schedule, ARiseOfNoLengthStartsAtThePeak) {
  // PyTorch divides by zero where pct_start times the steps is exactly one.
  const auto schedule = make_schedule(schedule_spec_of(R"({"one_cycle": {"pct_start": 0.25}})"), 0.1,
                                      {.epochs = 1, .steps_per_epoch = 4});
  EXPECT_EQ(schedule(0).lr, 0.1);
  EXPECT_EQ(schedule(0).momentum, 0.85);
  EXPECT_LT(schedule(1).lr, 0.1);
}

TEST(Schedule, WarmUpFillsAtMostThePlan) {
  const StepPlan plan{.epochs = 2, .steps_per_epoch = 10};
  const auto all = make_schedule(schedule_spec_of(R"({"cosine": {"warmup_epochs": 2, "warmup_start": 0.5}})"), 1, plan);
  EXPECT_EQ(all(0).lr, 0.5);
  EXPECT_NEAR(all(19).lr, 0.5 + 0.5 * 0.95, 1e-12);
  try {
    make_schedule(schedule_spec_of(R"({"cosine": {"warmup_epochs": 2.1}})"), 1, plan);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("warmup_epochs"));
    EXPECT_THAT(error.what(), HasSubstr("2 epochs"));
  }
}

TEST(Schedule, ACycleRisesToTheOptimizersRate) {
  const StepPlan plan{.epochs = 2, .steps_per_epoch = 10};
  const auto spec = schedule_spec_of(R"({"cyclic": {"base_lr": 0.1, "step_size_up": 1}})");
  EXPECT_EQ(make_schedule(spec, 0.1, plan)(5).lr, 0.1);
  EXPECT_EQ(make_schedule(spec, 0.5, plan)(10).lr, 0.5);
  EXPECT_TRUE(spec.cycles_momentum());
  EXPECT_FALSE(schedule_spec_of(R"("cosine")").cycles_momentum());
  try {
    make_schedule(spec, 0.09, plan);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("base_lr"));
    EXPECT_THAT(error.what(), HasSubstr("0.09"));
  }
}

TEST(Schedule, APlateauIsKnownByWhatWasMeasuredBefore) {
  const auto spec = schedule_spec_of(R"({"reduce_on_plateau": {"patience": 0, "factor": 0.5}})");
  const std::vector<double> values{0.5, 0.5, 0.5, 0.9};
  const StepPlan whole{.epochs = 5, .steps_per_epoch = 2, .measured = {values, true}};
  for (std::size_t known = 0; known <= values.size(); ++known) {
    const StepPlan plan{.epochs = 5, .steps_per_epoch = 2, .measured = {{values.data(), values.data() + known}, true}};
    const auto last = static_cast<std::int64_t>(2 * known + 1);
    EXPECT_EQ(make_schedule(spec, 1, plan)(last).lr, make_schedule(spec, 1, whole)(last).lr) << known;
  }
  EXPECT_EQ(make_schedule(spec, 1, whole)(9).lr, 0.25);
  try {
    make_schedule(schedule_spec_of(R"({"reduce_on_plateau": {"min_lr": 0.2}})"), 0.1, whole);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("min_lr"));
  }
}

TEST(ScheduleSpec, WhatIsWrittenReadsBackTheSame) {
  for (const char* text :
       {R"("constant")", R"({"constant": {"warmup_epochs": 0.5}})", R"({"step": {"step_size": 3, "gamma": 1}})",
        R"({"cosine": {"eta_min": 0.125, "warmup_start": 1}})", R"("one_cycle")",
        R"({"one_cycle": {"anneal": "linear", "three_phase": true, "cycle_momentum": false, "pct_start": 0.5}})",
        R"({"multi_step": {"milestones": [2, 5], "gamma": 0.5}})", R"({"exponential": {"gamma": 0.5}})",
        R"({"polynomial": {"power": 2, "warmup_epochs": 1}})", R"({"cosine_warm_restarts": {"T_0": 3, "T_mult": 2}})",
        R"({"warmup_stable_decay": {"decay": "cosine", "eta_min": 0.5}})",
        R"({"reduce_on_plateau": {"threshold_mode": "abs", "cooldown": 2, "min_lr": 0.5}})",
        R"({"cyclic": {"base_lr": 0.1, "step_size_up": 2, "mode": "exp_range", "gamma": 0.5}})"}) {
    const Json written = to_json(schedule_spec_of(text));
    EXPECT_EQ(to_json(schedule_spec_of(written.dump())), written) << text;
  }
  EXPECT_EQ(to_json(ScheduleSpec{}).dump(), R"({"constant":{"warmup_epochs":0.0,"warmup_start":0.01}})");
  EXPECT_EQ(to_json(schedule_spec_of(R"("one_cycle")")).dump(),
            R"({"one_cycle":{"pct_start":0.3,"div_factor":25.0,"final_div_factor":10000.0,"anneal":"cos",)"
            R"("cycle_momentum":true,"base_momentum":0.85,"max_momentum":0.95,"three_phase":false}})");
  EXPECT_EQ(to_json(schedule_spec_of(R"({"cyclic": {"base_lr": 0.1, "step_size_up": 2}})")).dump(),
            R"({"cyclic":{"base_lr":0.1,"step_size_up":2.0,"step_size_down":2.0,"mode":"triangular","gamma":1.0,)"
            R"("cycle_momentum":true,"base_momentum":0.8,"max_momentum":0.9}})");
  EXPECT_EQ(to_json(schedule_spec_of(R"("reduce_on_plateau")")).dump(),
            R"({"reduce_on_plateau":{"factor":0.1,"patience":10,"threshold":0.0001,"threshold_mode":"rel",)"
            R"("cooldown":0,"min_lr":0.0,"eps":1e-08}})");
  EXPECT_EQ(to_json(schedule_spec_of(R"({"cosine_warm_restarts": {"T_0": 2}})")).dump(),
            R"({"cosine_warm_restarts":{"T_0":2,"T_mult":1,"eta_min":0.0,"warmup_epochs":0.0,"warmup_start":0.01}})");
}

TEST(ScheduleSpec, LimitsAreExact) {
  const auto accepts = [](const std::string& text) {
    std::vector<Problem> problems;
    schedule_of(text, problems);
    return problems.empty();
  };
  for (const char* good : {R"({"step": {"step_size": 1}})", R"({"constant": {"warmup_start": 1}})",
                           R"({"one_cycle": {"pct_start": 0}})", R"({"one_cycle": {"pct_start": 1}})",
                           R"({"multi_step": {"milestones": [1, 100000]}})", R"({"exponential": {"gamma": 1}})",
                           R"({"step": {"step_size": 100000}})", R"({"warmup_stable_decay": {"decay_fraction": 1}})",
                           R"({"cyclic": {"base_lr": 0, "step_size_up": 1, "gamma": 1}})"})
    EXPECT_TRUE(accepts(good)) << good;
  for (const char* bad : {R"("step")",
                          R"({"step": {"step_size": 0}})",
                          R"({"step": {"step_size": 1.5}})",
                          R"({"step": {"step_size": 1, "gamma": 0}})",
                          R"({"constant": {"warmup_start": 0}})",
                          R"({"constant": {"warmup_epochs": -0.1}})",
                          R"({"cosine": {"eta_min": -1}})",
                          R"({"one_cycle": {"pct_start": 1.01}})",
                          R"({"one_cycle": {"pct_start": 0.51, "three_phase": true}})",
                          R"({"one_cycle": {"anneal": "cosine"}})",
                          R"({"one_cycle": {"div_factor": 0}})",
                          R"({"one_cycle": {"warmup_epochs": 1}})",
                          R"({"one_cycle": {"max_momentum": 1}})",
                          R"({"step": {"step_size": 100001}})",
                          R"("multi_step")",
                          R"({"multi_step": {"milestones": []}})",
                          R"({"multi_step": {"milestones": 3}})",
                          R"({"multi_step": {"milestones": [0, 1]}})",
                          R"({"multi_step": {"milestones": [2, 2]}})",
                          R"({"multi_step": {"milestones": [1.5]}})",
                          R"({"multi_step": {"milestones": [100001]}})",
                          R"({"multi_step": {"milestones": ["1"]}})",
                          R"({"reduce_on_plateau": {"factor": 1}})",
                          R"({"reduce_on_plateau": {"factor": 0}})",
                          R"({"reduce_on_plateau": {"patience": -1}})",
                          R"({"reduce_on_plateau": {"cooldown": 0.5}})",
                          R"({"reduce_on_plateau": {"threshold": -1}})",
                          R"({"reduce_on_plateau": {"threshold_mode": "both"}})",
                          R"({"reduce_on_plateau": {"mode": "max"}})",
                          R"({"reduce_on_plateau": {"warmup_epochs": 1}})",
                          R"("exponential")",
                          R"({"exponential": {"gamma": 1.1}})",
                          R"({"polynomial": {"power": 0}})",
                          R"("cosine_warm_restarts")",
                          R"({"cosine_warm_restarts": {"T_0": 0}})",
                          R"({"cosine_warm_restarts": {"T_0": 1, "T_mult": 0}})",
                          R"({"warmup_stable_decay": {"decay_fraction": 0}})",
                          R"({"warmup_stable_decay": {"decay": "exp"}})",
                          R"("cyclic")",
                          R"({"cyclic": {"base_lr": 0}})",
                          R"({"cyclic": {"step_size_up": 1}})",
                          R"({"cyclic": {"base_lr": 0, "step_size_up": 0}})",
                          R"({"cyclic": {"base_lr": 0, "step_size_up": 1, "step_size_down": 0}})",
                          R"({"cyclic": {"base_lr": 0, "step_size_up": 1, "gamma": 0.9}})",
                          R"({"cyclic": {"base_lr": 0, "step_size_up": 1, "mode": "triangle"}})",
                          R"({"cyclic": {"base_lr": 0, "step_size_up": 1, "warmup_epochs": 1}})"})
    EXPECT_FALSE(accepts(bad)) << bad;
}

TEST(ScheduleSpec, AnUnknownNameIsAnsweredWithTheNearest) {
  std::vector<Problem> problems;
  EXPECT_EQ(schedule_of(R"({"onecycle": {}})", problems).name, "constant");
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0].hint, HasSubstr("one_cycle"));
}

}  // namespace
}  // namespace graft
