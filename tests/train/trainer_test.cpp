#include "graft/train/trainer.h"

#include <gmock/gmock.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <numbers>
#include <sstream>

#include "graft/artifact/artifact.h"
#include "graft/artifact/predictor.h"
#include "graft/artifact/verify.h"
#include "graft/backbone/backbone.h"
#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/hash.h"
#include "graft/data/activations.h"
#include "graft/export/export_artifact.h"
#include "graft/image/preprocess.h"
#include "graft/train/checkpoint.h"
#include "graft/train/evaluate.h"
#include "graft/train/stored_run.h"
#include "support/fixture_backbones.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

using test::digest;
using test::spec;
using test::StopAt;
using test::train;
using test::two_phases;
using testing::HasSubstr;

/// A short run on small photos.
Json short_recipe(const std::string& backbone = "tiny_cnn", int size = 32) {
  Json json = test::small_recipe("probe", backbone, size);
  json["phases"][0]["epochs"] = 3;
  return json;
}

TEST(Trainer, LeavesACompleteRun) {
  test::TemporaryFolder folder;
  const RunResult result = train(short_recipe(), folder / "run");
  EXPECT_TRUE(result.finished);
  for (const char* file : {"recipe.json", "metrics.json", "history.jsonl", "model.pt", "checkpoint/last.pt",
                           "checkpoint/best.pt", "split.csv", "skipped.csv", "predictions.csv", "log.txt"})
    EXPECT_TRUE(std::filesystem::exists(folder / "run" / file)) << file;
  for (const auto& check : verify_artifact(folder / "run/model.pt")) EXPECT_TRUE(check.passed) << check.name;
  EXPECT_EQ(read_json_file(folder / "run/metrics.json"), result.metrics);
  EXPECT_THROW(train(short_recipe(), folder / "run"), Error);
  EXPECT_THROW(Trainer::resume(folder / "run"), Error);
}

TEST(Trainer, FiguresOfTheDataAreThoseOfItsPixelsAndWrittenAsNumbers) {
  test::TemporaryFolder folder;
  Json recipe = short_recipe();
  recipe["input"]["mean"] = recipe["input"]["std"] = "data";
  recipe["phases"][0]["epochs"] = 1;
  EXPECT_EQ(to_json(read_recipe(recipe, ""), "")["input"]["std"], "data");
  const RunSpec run = spec(recipe, folder / "run");
  train(recipe, folder / "run");
  std::vector<at::Tensor> images;
  const Dataset dataset = load_run_data(run, {});
  for (const auto& sample : dataset.of(Split::kTrain)) images.push_back(load_image(sample, run.recipe.input, {}, 0));
  const auto [variance, mean] = at::var_mean(at::stack(images).to(at::kDouble) / 255, at::IntArrayRef{0, 1, 2}, 0);
  const Json input = read_json_file(folder / "run/recipe.json")["input"];
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(input["mean"][c].get<double>(), mean[static_cast<std::int64_t>(c)].item<double>(), 1e-12);
    EXPECT_NEAR(input["std"][c].get<double>(), variance[static_cast<std::int64_t>(c)].sqrt().item<double>(), 1e-12);
  }
  const auto metadata = load_artifact(folder / "run/model.pt").metadata;
  EXPECT_EQ(Json(metadata.input.mean), input["mean"]);
  EXPECT_EQ(metadata.recipe["input"], input);
  recipe["input"]["mean"] = "dat";
  EXPECT_THROW(read_recipe(recipe, ""), Error);
}

TEST(Trainer, AWhiteningOfColorsIsWrittenAsNumbers) {
  test::TemporaryFolder folder;
  Json recipe = short_recipe();
  recipe["input"]["whiten"] = "zca";
  recipe["phases"][0]["epochs"] = 1;
  EXPECT_EQ(to_json(read_recipe(recipe, ""), "")["input"]["whiten"], "zca");
  train(recipe, folder / "run");
  const auto metadata = load_artifact(folder / "run/model.pt").metadata;
  ASSERT_TRUE(metadata.input.whiten);
  EXPECT_EQ(metadata.input.std, (std::array<double, 3>{1, 1, 1}));
  EXPECT_EQ(read_json_file(folder / "run/recipe.json")["input"], to_json(metadata.input));
}

TEST(Trainer, ATinySetOverfits) {
  test::TemporaryFolder folder;
  Json recipe = short_recipe();
  recipe["phases"] = Json::parse(R"([{"epochs": 60, "train": ["*"], "batch_norm": "update",
                                      "optimizer": {"adamw": {"lr": 0.005}}, "schedule": {"one_cycle": {}}}])");
  recipe["head"] = Json::parse(R"([{"linear": "classes"}])");
  recipe["loss"] = Json::parse(R"({"cross_entropy": {}})");
  train(recipe, folder / "run");
  const std::string history = read_file(folder / "run/history.jsonl");
  const Json last = Json::parse(history.substr(history.rfind('\n', history.size() - 2) + 1));
  EXPECT_LT(last["train_loss"].get<double>(), 0.05);
}

TEST(Trainer, KeptAndStreamedActivationsTrainTheSame) {
  test::TemporaryFolder folder;
  Json recipe = short_recipe();
  recipe["cache"]["activations"] = "memory";
  train(recipe, folder / "kept");
  recipe["cache"]["activations"] = "off";
  train(recipe, folder / "streamed");
  EXPECT_EQ(digest(folder / "kept"), digest(folder / "streamed"));
}

TEST(Trainer, ImagesAreMixedOnTheirWayAsTheyAreWhereTheyCross) {
  test::TemporaryFolder folder;
  Json recipe = short_recipe();
  recipe["phases"] = Json::parse(R"([{"epochs": 1, "train": ["*"], "optimizer": {"adamw": {"lr": 0.005}}}])");
  train(recipe, folder / "unmixed");
  recipe["data"]["mix"] = Json::parse(R"({"mixup": {"on": "activations"}})");
  train(recipe, folder / "crossing");
  recipe["data"]["mix"] = "mixup";
  recipe["cache"]["activations"] = "off";
  train(recipe, folder / "streamed");
  EXPECT_EQ(digest(folder / "crossing"), digest(folder / "streamed"));
  EXPECT_NE(digest(folder / "crossing"), digest(folder / "unmixed"));
}

TEST(Trainer, SeedsDecideEverything) {
  test::TemporaryFolder folder;
  Json recipe = two_phases();
  train(recipe, folder / "a");
  train(recipe, folder / "b");
  EXPECT_EQ(digest(folder / "a"), digest(folder / "b"));
  recipe["seed"] = 1;
  train(recipe, folder / "c");
  EXPECT_NE(digest(folder / "a"), digest(folder / "c"));
}

/// A run that is stopped at a step and resumed ends with the tensors of one that was not, whatever the step.
void expect_resumed_bit_identical(const Json& recipe, const std::vector<int>& steps) {
  test::TemporaryFolder folder;
  const RunResult whole = train(recipe, folder / "whole");
  for (const int step : steps) {
    const auto part = folder / ("stopped" + std::to_string(step));
    std::stop_source stop;
    Trainer first(spec(recipe, part));
    first.add_observer(std::make_shared<StopAt>(stop, step));
    EXPECT_FALSE(first.run(stop.get_token()).finished);
    EXPECT_FALSE(std::filesystem::exists(part / "model.pt"));
    const RunResult resumed = Trainer::resume(part).run();
    EXPECT_TRUE(resumed.finished);
    EXPECT_EQ(digest(part), digest(folder / "whole")) << "stopped at step " << step;
    EXPECT_EQ(resumed.metrics.at("diagnosis"), whole.metrics.at("diagnosis")) << "stopped at step " << step;
  }
}

TEST(Trainer, StoppedAtAnyStepAndResumedEndsBitIdentical) {
  expect_resumed_bit_identical(two_phases(), {1, 3, 4, 8, 11});
}

TEST(Trainer, AWhiteningIsThatOfTheTrainingFeaturesAndStays) {
  test::TemporaryFolder folder;
  Json recipe = two_phases();
  recipe["data"].erase("augment");
  recipe["precision"] = "fp32";
  recipe["head"] = Json::parse(R"([{"whiten": "zca", "eps": 0.001}, {"linear": "classes"}])");
  for (auto& phase : recipe["phases"]) phase["average"] = Json::parse(R"({"ema": {"decay": 0.99}})");
  expect_resumed_bit_identical(recipe, {1, 5});
  train(recipe, folder / "run");
  const auto whitening = load_artifact(folder / "run/model.pt").module.attr("head").toModule().attr("whiten_0");
  Backbone backbone = Backbone::load(recipe["backbone"]["file"].get<std::string>(), {.image_size = 32});
  const Dataset dataset = load_run_data(spec(recipe, folder / "run"), {});
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> images;
  for (const auto& sample : dataset.of(Split::kTrain))
    images.push_back(load_image(sample, read_recipe(recipe, "").input, {}, 0));
  const at::Tensor seen = normalize_images(at::stack(images), read_recipe(recipe, "").input);
  const at::Tensor features = backbone.module().forward({seen}).toTensor();
  EXPECT_TRUE(at::allclose(whitening.toModule().attr("mean").toTensor(), features.mean(0), 1e-4, 1e-5));
  const at::Tensor matrix = whitening.toModule().attr("matrix").toTensor();
  EXPECT_TRUE(at::allclose(matrix, matrix.t(), 1e-3, 1e-4));
  EXPECT_FALSE(at::allclose(matrix, at::eye(32), 1e-1, 1e-1));
}

TEST(Trainer, MixedImagesAreResumedBitIdentical) {
  Json recipe = two_phases();
  recipe["data"]["mix"] = "mixup_cutmix";
  recipe["cache"]["activations"] = "off";
  expect_resumed_bit_identical(recipe, {4, 8});
}

/// Asks for a stop at the end of the given epoch of the run.
class StopAfter : public Observer {
 public:
  StopAfter(std::stop_source& stop, int epochs) : stop_(stop), left_(epochs) {}
  void on_epoch(const EpochRecord&) override {
    if (--left_ == 0) stop_.request_stop();
  }

 private:
  std::stop_source& stop_;
  int left_;
};

/// Stops a run after its first epoch, which is its best so far, behind last.pt, before best.pt has its name.
void stop_before_best_is_written(const std::filesystem::path& folder) {
  std::stop_source stop;
  Trainer trainer(spec(two_phases(), folder));
  trainer.add_observer(std::make_shared<StopAfter>(stop, 1));
  EXPECT_FALSE(trainer.run(stop.get_token()).finished);
  EXPECT_TRUE(load_checkpoint(folder / "checkpoint/last.pt").under("phase_best").empty());  // the same as the best
  std::filesystem::rename(folder / "checkpoint/best.pt", folder / "checkpoint/best.next.pt");
}

TEST(Trainer, ARunThatEndsBetweenItsTwoCheckpointsLosesNothing) {
  test::TemporaryFolder folder;
  train(two_phases(), folder / "whole");
  stop_before_best_is_written(folder / "stopped");
  EXPECT_TRUE(Trainer::resume(folder / "stopped").run().finished);
  EXPECT_EQ(digest(folder / "stopped"), digest(folder / "whole"));
}

Json averaged() {
  Json recipe = two_phases();
  for (auto& phase : recipe["phases"]) phase["average"] = Json::parse(R"({"ema": {"decay": 0.8}})");
  return recipe;
}

/// Copies a run's folder as it is at the given step of the run.
class CopyAt : public Observer {
 public:
  CopyAt(std::filesystem::path from, std::filesystem::path to, int step)
      : from_(std::move(from)), to_(std::move(to)), left_(step) {}
  void on_step(std::int64_t, std::int64_t) override {
    if (--left_ == 0) std::filesystem::copy(from_, to_, std::filesystem::copy_options::recursive);
  }

 private:
  std::filesystem::path from_, to_;
  int left_;
};

TEST(Trainer, ARunThatIsKilledGoesOnFromItsLastCheckpoint) {
  test::TemporaryFolder folder;
  RunSpec run = spec(averaged(), folder / "whole");
  run.environment.seconds_between_checkpoints = 0;
  Trainer trainer(run);
  const std::vector<int> steps{5, 8, 11};  // in the second epoch of each phase, and in the first of the second
  for (const int step : steps)
    trainer.add_observer(std::make_shared<CopyAt>(folder / "whole", folder / std::to_string(step), step));
  EXPECT_TRUE(trainer.run().finished);
  for (const int step : steps) {
    const auto killed = folder / std::to_string(step);
    const Json progress = load_checkpoint(killed / "checkpoint/last.pt").state.at("progress");
    EXPECT_NE(progress.at("epoch").get<int>() + progress.at("phase").get<int>(), 0) << step;
    EXPECT_TRUE(Trainer::resume(killed).run().finished);
    EXPECT_EQ(digest(killed), digest(folder / "whole")) << step;
  }
}

TEST(Trainer, AnExportedFileAsksForNoGradients) {
  test::TemporaryFolder folder;
  train(two_phases(), folder / "run");
  const Artifact artifact = load_artifact(folder / "run/model.pt", Trust::kScan);
  for (const auto& parameter : artifact.module.named_parameters())
    EXPECT_FALSE(parameter.value.requires_grad()) << parameter.name;
}

TEST(Trainer, LookaheadIsResumedBitIdentical) {
  Json recipe = two_phases();
  recipe["phases"][1]["optimizer"] = Json::parse(R"({"lookahead": {"k": 2, "optimizer": {"nadam": {"lr": 0.01}}}})");
  recipe["phases"][1]["clip"] = Json::parse(R"({"norm": 0.1})");
  expect_resumed_bit_identical(recipe, {10});
}

TEST(Trainer, ARateThatGoesByTheMetricIsResumedBitIdentical) {
  Json recipe = short_recipe();
  recipe["stop"]["metric"] = "weighted_f1";
  recipe["phases"][0]["optimizer"] = Json::parse(R"({"adamw": {"lr": 0.01}})");
  // Nothing is ever better by so much: from the third epoch on the rate is halved.
  recipe["phases"][0]["schedule"] =
      Json::parse(R"({"reduce_on_plateau": {"patience": 0, "factor": 0.5, "threshold": 9, "threshold_mode": "abs"}})");
  expect_resumed_bit_identical(recipe, {4, 8});
  test::TemporaryFolder folder;
  train(recipe, folder / "run");
  std::istringstream history(read_file(folder / "run/history.jsonl"));
  std::vector<double> rates;
  for (std::string line; std::getline(history, line);) rates.push_back(Json::parse(line)["lr"]["head"].get<double>());
  EXPECT_THAT(rates, testing::ElementsAre(0.01, 0.01, 0.005));
}

TEST(Trainer, AHeadThatStartsFromDataIsResumedBitIdentical) {
  Json recipe = two_phases();
  recipe["head"] = Json::parse(R"([{"linear": 8, "init": "lsuv"}, {"activation": "relu"},
      {"linear": "classes", "bias": "prior", "init": {"lsuv": {"tol": 1e-6}}}])");
  expect_resumed_bit_identical(recipe, {1, 8});
  test::TemporaryFolder folder;
  recipe["phases"] = Json::parse(R"([{"optimizer": {"sgd": {"lr": 1e-30}}}])");
  train(recipe, folder / "scaled");
  recipe["head"][0]["init"] = "orthogonal";
  train(recipe, folder / "orthonormal");
  const auto weight = [&](const std::string& run) {
    return load_checkpoint(folder / run / "checkpoint/last.pt").under("network").at("head.linear_0.weight");
  };
  const at::Tensor factor = weight("scaled") / weight("orthonormal");
  EXPECT_GT((factor.mean() - 1).abs().item<double>(), 0.1);
  EXPECT_LT(factor.std().item<double>(), 1e-4);
}

TEST(Trainer, SamOfNoRadiusIsWhatItWraps) {
  test::TemporaryFolder folder;
  Json recipe = two_phases();
  recipe["phases"].erase(0);
  recipe["phases"][0]["batch_norm"] = "update";
  recipe["phases"][0]["accumulate"] = 2;
  train(recipe, folder / "plain");
  auto& optimizer = recipe["phases"][0]["optimizer"];
  optimizer = {{"sam", {{"rho", 1e-30}, {"optimizer", optimizer}}}};  // too small to move a float
  train(recipe, folder / "wrapped");
  EXPECT_EQ(digest(folder / "wrapped"), digest(folder / "plain"));
  optimizer["sam"]["rho"] = 0.5;
  train(recipe, folder / "sharp");
  EXPECT_NE(digest(folder / "sharp"), digest(folder / "plain"));
}

TEST(Trainer, SamIsResumedBitIdentical) {
  Json recipe = two_phases();
  recipe["phases"][1]["optimizer"] =
      Json::parse(R"({"sam": {"adaptive": true, "optimizer": {"nadam": {"lr": 0.01}}}})");
  recipe["phases"][1]["clip"] = Json::parse(R"({"norm": 0.1})");
  expect_resumed_bit_identical(recipe, {10});
}

TEST(Trainer, APenaltyIsAddedToTheLossOfAStep) {
  test::TemporaryFolder folder;
  Json recipe = short_recipe();
  recipe["head"] = Json::parse(R"([{"linear": "classes"}])");
  const auto weight_of = [&](const std::string& name, const char* phase) {
    recipe["phases"] = Json::array({Json::parse(phase)});
    train(recipe, folder / name);
    return load_checkpoint(folder / name / "checkpoint/last.pt").under("network").at("head.linear_0.weight");
  };
  const at::Tensor decayed = weight_of("decayed", R"({"optimizer": {"sgd": {"lr": 0.5, "weight_decay": 0.3}}})");
  const char* penalised = R"({"optimizer": {"sgd": {"lr": 0.5}}, "penalty": {"l2": {"alpha": 0.3}}, "accumulate": 1})";
  EXPECT_TRUE(at::allclose(weight_of("penalised", penalised), decayed, 1e-5, 1e-6));
  EXPECT_FALSE(at::allclose(weight_of("plain", R"({"optimizer": {"sgd": {"lr": 0.5}}})"), decayed, 1e-2, 1e-3));
}

TEST(Trainer, WhatIsHeldToItsPretrainedWeightsIsResumedBitIdentical) {
  Json recipe = two_phases();
  recipe["phases"][1]["penalty"] = Json::parse(R"({"l2_sp": {"alpha": 5, "biases": true}})");
  expect_resumed_bit_identical(recipe, {10});
}

Json linear_probe() {
  Json json = short_recipe();
  lay_over(json, preset_recipe("linear"));
  return json;
}

TEST(Trainer, ALinearProbeIsTheMinimumOverAllImages) {
  test::TemporaryFolder folder;
  Json recipe = linear_probe();
  recipe["phases"][0]["optimizer"]["lbfgs"]["C"] = 1;
  train(recipe, folder / "run");
  const auto artifact = load_artifact(folder / "run/model.pt");
  const auto tensor = [&](const char* layer, const char* name) {
    return artifact.module.attr("head").toModule().attr(layer).toModule().attr(name).toTensor();
  };
  std::vector<at::Tensor> images;
  std::vector<std::int64_t> labels;
  const auto predictor = Predictor::load(folder / "run/model.pt");
  const Dataset dataset = load_run_data(spec(recipe, folder / "run"), {});
  for (const auto& sample : dataset.of(Split::kTrain)) {
    images.push_back(predictor.fitted(sample.path)[0]);
    labels.push_back(sample.label);
  }
  const torch::NoGradGuard no_grad;
  const at::Tensor seen = normalize_images(at::stack(images), artifact.metadata.input);
  const at::Tensor features = artifact.module.get_method("features")({seen}).toTensor();
  EXPECT_TRUE(at::allclose(tensor("batch_norm_0", "running_mean"), features.mean(0), 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(tensor("batch_norm_0", "running_var"), features.var(0, false), 1e-4, 1e-5));
  const at::Tensor logits = artifact.module.get_method("logits")({seen}).toTensor();
  const at::Tensor wrong = at::softmax(logits, 1) - at::one_hot(torch::tensor(labels), 2);
  constexpr double kEps = 1e-5;
  const at::Tensor standardised = (features - features.mean(0)) / (features.var(0, false) + kEps).sqrt();
  const at::Tensor slope = wrong.t().matmul(standardised) + 2 * tensor("linear_1", "weight");
  EXPECT_LT(slope.abs().max().item<double>(), 1e-3);
}

TEST(Trainer, ALinearProbeStoppedIsResumedBitIdentical) {
  Json recipe = linear_probe();
  recipe["phases"].push_back(two_phases()["phases"][1]);
  expect_resumed_bit_identical(recipe, {1});
}

TEST(Trainer, WhatIsAveragedIsWhatIsKept) {
  test::TemporaryFolder folder;
  Json recipe = averaged();
  recipe["phases"].erase(1);
  recipe["phases"][0]["epochs"] = 1;
  train(recipe, folder / "run");
  const auto last = load_checkpoint(folder / "run/checkpoint/last.pt");
  const auto best = load_checkpoint(folder / "run/checkpoint/best.pt").under("network");
  const auto mean = last.under("average");
  EXPECT_EQ(mean.size(), best.size());
  for (const auto& [name, tensor] : mean) EXPECT_TRUE(tensor.equal(best.at(name))) << name;
  EXPECT_FALSE(mean.at("head.linear_2.weight").equal(last.under("network").at("head.linear_2.weight")));
}

TEST(Trainer, AveragedWeightsAreResumedBitIdentical) { expect_resumed_bit_identical(averaged(), {2, 4, 7}); }

TEST(Trainer, AMeanOfEpochsHasItsOwnStatisticsAndIsResumedBitIdentical) {
  Json recipe = two_phases();
  recipe["phases"].erase(0);
  recipe["phases"][0]["batch_norm"] = "update";
  recipe["phases"][0]["average"] = Json::parse(R"({"swa": {"start": 1}})");
  expect_resumed_bit_identical(recipe, {2, 6});
  test::TemporaryFolder folder;
  train(recipe, folder / "run");
  const auto last = load_checkpoint(folder / "run/checkpoint/last.pt");
  const auto mean = last.under("average"), trained = last.under("network");
  const auto count = [](const auto& tensors) {
    return tensors.at("head.batch_norm_0.num_batches_tracked").template item<std::int64_t>();
  };
  EXPECT_EQ(2 * count(mean), count(trained));  // those of one pass, of two epochs
  EXPECT_FALSE(mean.at("head.batch_norm_0.running_var").equal(trained.at("head.batch_norm_0.running_var")));
}

TEST(Trainer, TheLastPhaseEndsInItsLastEpoch) {
  test::TemporaryFolder folder;
  Json recipe = short_recipe();
  recipe["phases"][0]["optimizer"] = Json::parse(R"({"sgd": {"lr": 1.0}})");  // later epochs are worse than the first
  recipe["phases"][0]["epochs"] = 8;
  recipe["head"] = Json::parse(R"([{"linear": "classes"}])");
  recipe["stop"]["metric"] = "loss";
  const RunResult result = train(recipe, folder / "run");
  EXPECT_LT(result.metrics["best"]["epoch"], 8);
  EXPECT_EQ(result.metrics["last"]["epoch"], 8);
  const auto last = load_checkpoint(folder / "run/checkpoint/last.pt").under("network");
  const auto best = load_checkpoint(folder / "run/checkpoint/best.pt").under("network");
  EXPECT_EQ(last.size(), best.size());
  EXPECT_FALSE(last.at("head.linear_0.weight").equal(best.at("head.linear_0.weight")));
}

TEST(Trainer, APhaseClipsItsGradients) {
  test::TemporaryFolder folder;
  Json recipe = short_recipe();
  recipe["phases"] = Json::parse(R"([{"optimizer": {"sgd": {"lr": 0.1}}, "clip": {"norm": 1e-9}}])");
  recipe["head"] = Json::parse(R"([{"linear": "classes", "init": "zeros"}])");
  train(recipe, folder / "run");
  const auto artifact = load_artifact(folder / "run/model.pt");
  std::vector<double> largest;
  for (const auto& parameter : artifact.module.named_parameters())
    if (parameter.name.starts_with("head.")) largest.push_back(parameter.value.abs().max().item<double>());
  EXPECT_THAT(largest, testing::SizeIs(2));
  EXPECT_THAT(largest, testing::Each(testing::AllOf(testing::Gt(0), testing::Lt(1e-8))));
}

TEST(Trainer, AccumulatedGradientsAreThoseOfTheBigBatch) {
  test::TemporaryFolder folder;
  Json recipe = short_recipe();
  recipe["head"] = Json::parse(R"([{"linear": "classes"}])");  // batch statistics are of each part
  recipe["data"]["balance"] = "loss";
  recipe["data"]["mix"] = Json::parse(R"({"mixup": {"on": "activations", "prob": 0.5}})");  // partners in other parts
  recipe["phases"] = Json::parse(R"([{"epochs": 2, "optimizer": {"sgd": {"lr": 0.5, "momentum": 0.9}}}])");
  const auto weights_of = [&](const std::string& name) {
    train(recipe, folder / name);
    return load_checkpoint(folder / name / "checkpoint/last.pt").under("network").at("head.linear_0.weight");
  };
  recipe["data"]["batch_size"] = 16;
  const at::Tensor whole = weights_of("whole");
  recipe["data"]["batch_size"] = 4;
  const at::Tensor small = weights_of("small");
  recipe["phases"][0]["accumulate"] = 4;
  EXPECT_TRUE(at::allclose(weights_of("accumulated"), whole, 1e-6, 1e-6));
  EXPECT_FALSE(at::allclose(small, whole, 1e-2, 1e-2));
}

TEST(Trainer, FrozenTensorsStayBitIdentical) {
  test::TemporaryFolder folder;
  Json recipe = two_phases();
  recipe["phases"].erase(0);  // the best of the run must be one that trained the stage
  recipe["backbone"]["file"] = test::FixtureBackbone{"resnet18", "scripted"}.file().string();
  recipe["input"]["size"] = 64;
  train(recipe, folder / "run");
  const auto file = Backbone::load(recipe["backbone"]["file"].get<std::string>(), {.image_size = 64});
  const auto artifact = load_artifact(folder / "run/model.pt");
  std::map<std::string, at::Tensor> exported;
  for (const auto& parameter : artifact.module.named_parameters()) exported[parameter.name] = parameter.value;
  for (const auto& buffer : artifact.module.named_buffers()) exported[buffer.name] = buffer.value;
  int changed = 0;
  for (const auto& [name, tensor] : file.tensors()) {
    const bool equal = tensor.equal(exported.at("backbone." + name));
    const bool trains = name.starts_with("layer4.") && (name.ends_with("weight") || name.ends_with("bias"));
    EXPECT_EQ(equal, !trains) << name;
    changed += !equal;
  }
  EXPECT_EQ(changed, 15);
}

TEST(Trainer, WatchingARunChangesNothing) {
  test::TemporaryFolder folder;
  Json recipe = two_phases();
  recipe["diagnosis"] = Json::parse(R"({"steps": 1000, "overfit_batch": true})");
  const Json found = train(recipe, folder / "watched").metrics.at("diagnosis");
  recipe["diagnosis"] = Json::parse(R"({"steps": 0, "overfit_batch": true})");
  EXPECT_EQ(train(recipe, folder / "alone").metrics.at("diagnosis"), Json::object());
  EXPECT_EQ(digest(folder / "watched"), digest(folder / "alone"));
  EXPECT_EQ(found.at("one_batch").at("images"), 8);
  EXPECT_NEAR(found.at("initial_loss").at("found").get<double>(), std::numbers::ln2, 1);
  EXPECT_THAT(found.at("phases").at(0).at("dead_units").size(), 1U);
  EXPECT_EQ(found.at("phases").at(1).at("update_ratio").size(), 2U) << "the head and a stage";
  EXPECT_EQ(found.at("phases").at(1).at("gradient_norm").at("samples"), 6) << "three steps, two epochs";
}

TEST(Trainer, ALossThatIsNoNumberNamesStepParametersAndCheckpoint) {
  test::TemporaryFolder folder;
  Json recipe = short_recipe();
  recipe["phases"] = Json::parse(R"([{"optimizer": {"sgd": {"lr": 1e39}}, "epochs": 2}])");
  try {
    train(recipe, folder / "run");
    FAIL() << "trained";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("phase 'phase 1' epoch 1 step 2"));
    EXPECT_THAT(error.what(), HasSubstr("(parameter group 1 of 2"));
    EXPECT_THAT(error.what(), HasSubstr("checkpoint/last.pt is from before"));
  }
  EXPECT_TRUE(load_checkpoint(folder / "run/checkpoint/last.pt")
                  .under("network")
                  .at("head.linear_6.weight")
                  .isfinite()
                  .all()
                  .item<bool>());
}

TEST(Trainer, RefusesWhatCannotTrainBeforeItMakesAFolder) {
  test::TemporaryFolder folder;
  const auto reason = [&](const char* assignment, Json recipe = short_recipe()) {
    set_key(recipe, assignment);
    try {
      train(recipe, folder / "run");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("trained");
  };
  EXPECT_THAT(reason("phases.0.train=[\"nothing_like_it\"]"), HasSubstr("matches no parameter"));
  EXPECT_THAT(reason("phases.0.train=[\"conv1\"]"), HasSubstr("new head untrained"));
  EXPECT_THAT(reason("backbone.sha256=0123"), HasSubstr("SHA-256"));
  EXPECT_THAT(reason("phases.0.train=[\"head.linear_1.bias\"]", linear_probe()),
              HasSubstr("leaves 'head.linear_1.weight' out"));
  EXPECT_THAT(reason("phases.0.train=[\"head\", \"last:1\"]", linear_probe()), HasSubstr("by lbfgs"));
  EXPECT_FALSE(std::filesystem::exists(folder / "run"));
}

TEST(Trainer, ABackboneWithoutClassifierTrainsOnItsPooledMap) {
  test::TemporaryFolder folder;
  EXPECT_TRUE(train(short_recipe("tiny_headless"), folder / "run").finished);
}

TEST(Trainer, ThePowerOfAGeneralisedMeanIsLearnedAndExported) {
  test::TemporaryFolder folder;
  Json recipe = short_recipe("tiny_headless");
  recipe["backbone"]["pool"] = "gem";
  recipe["phases"][0]["train"] = {"head", "gem_p"};
  train(recipe, folder / "run");
  const auto artifact = load_artifact(folder / "run/model.pt");
  EXPECT_NE(artifact.module.attr("backbone").toModule().attr("gem_p").toTensor().item<float>(), 3);
}

TEST(Trainer, AnArtifactIsABackboneToo) {
  test::TemporaryFolder folder;
  train(short_recipe(), folder / "first");
  Json recipe = two_phases();
  recipe["backbone"]["file"] = (folder / "first/model.pt").string();
  recipe["phases"].erase(0);
  const auto backbone = Backbone::load(folder / "first/model.pt", {.image_size = 32});
  EXPECT_EQ(backbone.classifier().path, "head");
  EXPECT_EQ(backbone.classifier().out, 2);
  EXPECT_EQ(backbone.stages().size(),
            Backbone::load(test::FixtureBackbone{"tiny_cnn", "scripted"}.file(), {.image_size = 32}).stages().size());
  EXPECT_TRUE(train(recipe, folder / "second").finished);
}

TEST(Predictor, AnswersTheSameForPathBytesAndPixels) {
  test::TemporaryFolder folder;
  train(short_recipe(), folder / "run");
  const auto predictor = Predictor::load(folder / "run/model.pt");
  const auto photo =
      test::photos() / "glass" / std::filesystem::directory_iterator(test::photos() / "glass")->path().filename();
  const auto by_path = predictor.predict(photo).top(1).front();
  const std::string bytes = read_file(photo);
  EXPECT_EQ(predictor.predict(std::as_bytes(std::span(bytes))).top(1).front().probability, by_path.probability);
  EXPECT_EQ(predictor.predict(std::vector{photo, photo})[1].top(1).front().label, by_path.label);
  EXPECT_THROW(predictor.predict(at::zeros({3, 4, 4}, at::kByte)), Error);
  EXPECT_THROW(predictor.predict(folder / "absent.jpg"), Error);
}

TEST(Predictor, AnswersAsTheFileItself) {
  for (const char* backbone : {"tiny_cnn", "mobilenet_v2", "densenet121"}) {
    test::TemporaryFolder folder;
    Json recipe = short_recipe(backbone, 64);
    recipe["phases"][0]["epochs"] = 1;
    train(recipe, folder / "run");
    const auto predictor = Predictor::load(folder / "run/model.pt");
    std::vector<at::Tensor> images;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(test::photos()))
      if (entry.is_regular_file()) images.push_back(predictor.fitted(entry.path())[0]);
    images.resize(2 * predictor.batch_size() + 3);
    const torch::NoGradGuard no_grad;
    const Artifact artifact = load_artifact(folder / "run/model.pt");
    const at::Tensor seen = normalize_images(at::stack(images), artifact.metadata.input);
    const at::Tensor expected = at::softmax(artifact.module.get_method("logits")({seen}).toTensor(), 1);
    const at::Tensor found = predictor.probabilities(at::stack(images).unsqueeze(1));
    ASSERT_EQ(found.sizes(), expected.sizes());
    EXPECT_LE((found - expected).abs().max().item<double>(), 1e-5) << backbone;
  }
}

}  // namespace
}  // namespace graft
