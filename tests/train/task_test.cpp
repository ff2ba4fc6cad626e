#include "graft/train/task.h"

#include <gmock/gmock.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "graft/artifact/artifact.h"
#include "graft/artifact/predictor.h"
#include "graft/artifact/verify.h"
#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/image/preprocess.h"
#include "graft/train/evaluate.h"
#include "graft/train/stored_run.h"
#include "support/parity.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

using testing::HasSubstr;

/// A label for the i-th photo; even ones show glass.
std::string label_for(Task task, int i) {
  static const std::vector<std::string> kSeveral{"clear", "brown|old", "", "brown"};
  static const std::vector<std::string> kOrdered{"10", "9", "8"};
  const auto of = [&](const auto& labels) { return labels[static_cast<std::size_t>(i) % labels.size()]; };
  if (task == Task::kMultiLabel) return of(kSeveral);
  if (task == Task::kRegression) return std::to_string(1000 + (i % 2) * 20 + i) + "|" + std::to_string(-0.001 * i);
  if (task == Task::kOrdinal) return of(kOrdered);
  return i % 2 == 0 ? "glass" : "paper";
}

/// A table of the photos, glass and paper in turn, with labels of a task.
std::filesystem::path write_table(const std::filesystem::path& folder, Task task) {
  std::vector<std::vector<std::filesystem::path>> photos;
  for (const char* name : {"glass", "paper"}) {
    photos.emplace_back();
    for (const auto& entry : std::filesystem::directory_iterator(test::photos() / name))
      photos.back().push_back(entry.path());
    std::sort(photos.back().begin(), photos.back().end());
  }
  std::string text = "path,label\n";
  for (int i = 0; i < 24; ++i)
    text += photos[static_cast<std::size_t>(i % 2)][static_cast<std::size_t>(i / 2)].string() + "," +
            label_for(task, i) + "\n";
  const auto table = folder / (to_string(task) + ".csv");
  replace_file(table, text);
  return table;
}

RunSpec spec_of(Task task, const std::filesystem::path& folder, const std::string& run) {
  Json json = test::on_small_network(preset_recipe("probe", to_string(task)));
  json["phases"] = Json::parse(R"([{"epochs": 2, "optimizer": {"adamw": {"lr": 0.02}}},
      {"name": "more", "epochs": 1, "train": ["head", "last:1"], "optimizer": {"adamw": {"lr": 0.005}}}])");
  return {read_recipe(json, ""), write_table(folder, task), folder / run};
}

Json last_line(const std::filesystem::path& history) {
  const std::string text = read_file(history);
  return Json::parse(text.substr(text.rfind('\n', text.size() - 2) + 1));
}

class EveryTask : public testing::TestWithParam<Task> {};
INSTANTIATE_TEST_SUITE_P(Tasks, EveryTask,
                         testing::Values(Task::kSingleLabel, Task::kMultiLabel, Task::kRegression, Task::kOrdinal),
                         [](const auto& instance) { return to_string(instance.param); });

TEST_P(EveryTask, TrainsExportsAndMeasures) {
  test::TemporaryFolder folder;
  const RunSpec spec = spec_of(GetParam(), folder.path(), "run");
  const RunResult result = Trainer(spec).run();
  const auto model = folder / "run/model.pt";
  for (const auto& check : verify_artifact(model)) EXPECT_TRUE(check.passed) << check.name << " " << check.detail;
  const auto predictor = Predictor::load(model);
  EXPECT_EQ(task_of(predictor), GetParam());
  const Dataset dataset = load_run_data(spec, {});
  const Json measured = to_json(evaluate(predictor, dataset.of(Split::kVal), 1, [](std::size_t) {}));
  EXPECT_EQ(measured, result.metrics["best"]["val"]);
  const auto& row = task_row(GetParam());
  for (const std::string& figure : {row.metrics.front(), row.metrics[1]}) EXPECT_TRUE(measured.contains(figure));
  EXPECT_TRUE(last_line(folder / "run/history.jsonl").contains("val_" + row.metrics.front()));
}

TEST_P(EveryTask, IsResumedBitIdentical) {
  test::TemporaryFolder folder;
  const auto digest = [&](const char* run) { return load_artifact(folder / run / "model.pt").metadata.tensors_sha256; };
  Trainer(spec_of(GetParam(), folder.path(), "whole")).run();
  std::stop_source stop;
  Trainer first(spec_of(GetParam(), folder.path(), "stopped"));
  first.add_observer(std::make_shared<test::StopAt>(stop, 4));
  EXPECT_FALSE(first.run(stop.get_token()).finished);
  EXPECT_TRUE(Trainer::resume(folder / "stopped").run().finished);
  EXPECT_EQ(digest("stopped"), digest("whole"));
}

TEST(Regression, AnswersInTheUnitOfItsLabels) {
  test::TemporaryFolder folder;
  RunSpec spec = spec_of(Task::kRegression, folder.path(), "run");
  spec.recipe.phases.pop_back();
  spec.recipe.phases[0].epochs = 30;
  const RunResult result = Trainer(spec).run();
  EXPECT_LT(result.metrics["best"]["val"]["rmse"], 15);  // the mean alone: half of 20 and more
  EXPECT_LT(result.metrics["last"]["train_loss"], 10);   // in deviations, dropout's noise too; in the unit 100 and more
  const auto artifact = load_artifact(folder / "run/model.pt");
  const auto predictor = Predictor::load(folder / "run/model.pt");
  const Dataset dataset = load_run_data(spec, {});
  const std::string photo = dataset.of(Split::kVal).front().path;
  const Prediction prediction = predictor.predict(photo);
  ASSERT_EQ(prediction.values().size(), 2U);
  EXPECT_EQ(prediction.values()[1].name, "value_2");
  EXPECT_TRUE(prediction.top(2).empty());
  EXPECT_NEAR(prediction.values()[0].value, 1020, 40);
  const torch::NoGradGuard no_grad;
  const at::Tensor seen = normalize_images(predictor.fitted(photo), artifact.metadata.input);
  const auto unit = artifact.module.attr("answer").toModule();
  const at::Tensor by_hand = artifact.module.get_method("logits")({seen}).toTensor() * unit.attr("scale").toTensor() +
                             unit.attr("shift").toTensor();
  EXPECT_NEAR(prediction.values()[0].value, by_hand[0][0].item<double>(), 1e-3);
  EXPECT_NEAR(prediction.values()[1].value, by_hand[0][1].item<double>(), 1e-6);
}

Dataset made_up(Task task, std::size_t classes) {
  Dataset dataset{.name = "", .classes = {}, .samples = {}, .skipped = {}};
  for (std::size_t k = 0; k < classes; ++k) dataset.classes.push_back("value_" + std::to_string(k + 1));
  dataset.task = task;
  return dataset;
}

/// Photos that train with the rows as labels, and one that validates.
Dataset of_values(const at::Tensor& rows) {
  Dataset dataset = made_up(Task::kRegression, static_cast<std::size_t>(rows.size(1)));
  for (const auto& row : rows.contiguous().unbind()) {
    const auto* begin = row.const_data_ptr<double>();
    dataset.samples.push_back({.path = "", .split = Split::kTrain, .values = {begin, begin + row.numel()}});
  }
  dataset.samples.push_back(
      {.path = "", .split = Split::kVal, .values = std::vector<double>(dataset.classes.size(), 1e6)});
  return dataset;
}

TEST(AnswerModule, IsTheReference) {
  const test::ParityFixture reference("train/answers.pt");
  for (const auto& name : task_names()) {
    const at::Tensor& expected = reference.at(name + "/answers");
    const Dataset dataset = name == "regression"
                                ? of_values(reference.at("regression/labels"))
                                : made_up(task_named(name), static_cast<std::size_t>(expected.size(1)));
    const at::Tensor found = answer_module(dataset).forward({reference.at(name + "/outputs")}).toTensor();
    const double apart = ((found - expected) / expected.abs().clamp_min(1)).abs().max().item<double>();
    EXPECT_LT(test::noted("tasks", name, apart), 1e-6) << name;
  }
}

TEST(TrainingTargets, OfNumbersAreScikitLearns) {
  const test::ParityFixture reference("train/answers.pt");
  const at::Tensor found = training_targets(of_values(reference.at("regression/labels")));
  EXPECT_LT(test::relative_error(found, reference.at("regression/targets")), 1e-10);
}

TEST(AnswerModule, OfThresholdsGivesProbabilitiesEvenWhereTheyCross) {
  torch::jit::Module answer = answer_module(made_up(Task::kOrdinal, 4));
  const at::Tensor x = at::tensor({2.0, 0.5, -1.0, 0.5, 2.0, -1.0}, at::kFloat).view({2, 3});
  const at::Tensor found = answer.forward({x}).toTensor();
  const at::Tensor s = at::sigmoid(x);
  EXPECT_TRUE(at::allclose(found[0], at::stack({1 - s[0][0], s[0][0] - s[0][1], s[0][1] - s[0][2], s[0][2]})));
  EXPECT_TRUE(at::allclose(found.sum(1), at::ones({2})));
  EXPECT_EQ(found[1][1].item<float>(), 0);
}

std::string problem_of(const std::string& task, const std::string& assignment) {
  Json json = preset_recipe("probe", task);
  json["backbone"] = {{"file", "b.pt"}};
  set_key(json, assignment);
  try {
    read_recipe(json, "");
  } catch (const Error& error) {
    return error.problems().front().subject;
  }
  return "accepted";
}

TEST(TaskProblems, NameTheKeyThatDoesNotGoWithTheTask) {
  for (const auto& task : task_names()) EXPECT_EQ(problem_of(task, "seed=1"), "accepted") << task;
  EXPECT_EQ(problem_of("single_label", "loss=bce"), "loss");
  EXPECT_EQ(problem_of("single_label", "stop.metric=rmse"), "stop.metric");
  EXPECT_EQ(problem_of("single_label", "data.classes=[\"a\", \"b\"]"), "data.classes");
  EXPECT_EQ(problem_of("multi_label", "loss=cross_entropy"), "loss");
  EXPECT_EQ(problem_of("multi_label", "loss=asymmetric_multi_label"), "accepted");
  EXPECT_EQ(problem_of("multi_label", "stop.metric=mcc"), "stop.metric");
  EXPECT_EQ(problem_of("multi_label", "data.balance=loss"), "data.balance");
  EXPECT_EQ(problem_of("multi_label", "diagnosis.overfit_batch=true"), "diagnosis.overfit_batch");
  EXPECT_EQ(problem_of("multi_label", "head=[{\"linear\": \"classes\", \"bias\": \"prior\"}]"), "head[0].bias");
  EXPECT_EQ(problem_of("regression", "loss=huber"), "accepted");
  EXPECT_EQ(problem_of("regression", "data.balance=sampler"), "data.balance");
  EXPECT_EQ(problem_of("regression", "phases=[{\"optimizer\": \"lbfgs\"}]"), "phases[0].optimizer");
  EXPECT_EQ(problem_of("ordinal", "data.balance=loss"), "accepted");
  EXPECT_EQ(problem_of("ordinal", "data.classes=[\"b\", \"a\"]"), "accepted");
  EXPECT_EQ(problem_of("ordinal", "head=[{\"cosine\": \"classes\"}]"), "head[0]");
  EXPECT_EQ(problem_of("ordinal", "head=[{\"linear\": \"classes\", \"bias\": false}]"), "head[0].bias");
  EXPECT_EQ(problem_of("ordinal", "task=ranking"), "task");
}

TEST(MatchClasses, RearrangesWhatIsSaidOfEachClass) {
  Dataset dataset{.name = "data", .classes = {"b", "d"}, .samples = {}, .skipped = {}};
  dataset.task = Task::kMultiLabel;
  dataset.samples = {{.path = "", .label = 1, .split = {}, .values = {0, 1}},
                     {.path = "", .label = -1, .split = {}, .values = {0, 0}}};
  match_classes(dataset, {"a", "b", "c", "d"});
  EXPECT_THAT(dataset.samples[0].values, testing::ElementsAre(0, 0, 0, 1));
  EXPECT_EQ(dataset.samples[0].label, 3);
  EXPECT_EQ(dataset.samples[1].label, -1);
  Dataset numbers = of_values(at::ones({1, 2}, at::kDouble));
  EXPECT_THROW(match_classes(numbers, {"value"}), Error);
  EXPECT_NO_THROW(match_classes(numbers, {"value_1", "value_2"}));
}

TEST(CheckSameData, NoticesAnotherNumber) {
  Dataset dataset = of_values(at::ones({2, 2}, at::kDouble));
  const std::string before = digest_of(dataset);
  dataset.samples[0].values[1] = 2.5;
  EXPECT_NE(digest_of(dataset), before);
}

}  // namespace
}  // namespace graft
