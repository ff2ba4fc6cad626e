#include "graft/train/distillation.h"

#include <gmock/gmock.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>

#include <algorithm>
#include <set>

#include "graft/artifact/artifact.h"
#include "graft/core/error.h"
#include "graft/export/export_artifact.h"
#include "graft/image/preprocess.h"
#include "graft/train/recipe.h"
#include "graft/train/stored_run.h"
#include "graft/train/take_gradient.h"
#include "graft/train/teacher.h"
#include "support/fixture_backbones.h"
#include "support/parity.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

using test::ParityFixture;
using test::relative_error;
using testing::HasSubstr;

TEST(Distillation, ValuesAndGradientsArePyTorchs) {
  const ParityFixture reference("train/distillation.pt");
  const auto cases = reference.cases("spec");
  EXPECT_EQ(cases.size(), 4U);
  const at::Tensor rows = reference.at("rows");
  for (const auto& name : cases) {
    const Json spec = reference.json(name + "/spec");
    std::vector<Problem> problems;
    const at::Tensor classes = reference.has(name + "/classes") ? reference.at(name + "/classes") : at::Tensor();
    const TrainingLoss loss{make_loss(read_loss_spec(spec["loss"], "loss", problems)),
                            reference.at("targets"),
                            {classes, spec["sampled"] == true ? reference.at("samples") : at::Tensor()},
                            {spec["alpha"].get<double>(), spec["temperature"].get<double>(), reference.at("teacher")}};
    const at::Tensor logits = reference.at("logits").clone().set_requires_grad(true);
    const at::Tensor value = loss(logits, {rows, rows, 1}, loss.weight_of(rows));
    value.backward();
    const at::Tensor mixed = loss(logits.detach(), {rows, rows.roll(1), 0.7}, loss.weight_of(rows));
    const double apart = std::max({relative_error(value, reference.at(name + "/loss")),
                                   relative_error(logits.grad(), reference.at(name + "/gradient")),
                                   relative_error(mixed, reference.at(name + "/mixed"))});
    EXPECT_LT(test::noted("distillation", "distill", apart), 1e-6) << name;
  }
}

Json with_teacher(const Json& distill, const std::string& preset = "probe") {
  Json json = preset_recipe(preset);
  json["backbone"] = {{"file", "b.pt"}};
  json["distill"] = distill;
  return json;
}

TEST(DistillSpec, WhatIsWrittenReadsBackTheSameAndMistakesAreNamed) {
  const Recipe recipe = read_recipe(with_teacher({{"teacher", "t.pt"}}), "/base");
  EXPECT_EQ(recipe.distill.teacher, "/base/t.pt");
  const Json written = to_json(recipe, "/base");
  EXPECT_EQ(written["distill"].dump(), R"({"teacher":"t.pt","sha256":"","alpha":0.5,"temperature":4.0})");
  EXPECT_EQ(to_json(read_recipe(written, "/base"), "/base"), written);
  const auto subject_of = [](const Json& json) {
    try {
      read_recipe(json, "");
    } catch (const Error& error) {
      return error.problems().front().subject;
    }
    return std::string("accepted");
  };
  const auto with = [](const char* key, const Json& value) {
    return with_teacher({{"teacher", "t.pt"}, {key, value}});
  };
  EXPECT_EQ(subject_of(with("alpha", 1)), "accepted");
  EXPECT_EQ(subject_of(with("alpha", 0)), "distill.alpha");
  EXPECT_EQ(subject_of(with("alpha", 1.1)), "distill.alpha");
  EXPECT_EQ(subject_of(with("temperature", 0)), "distill.temperature");
  EXPECT_EQ(subject_of(with("student", "s.pt")), "distill.student");
  EXPECT_EQ(subject_of(with_teacher(Json::object())), "distill.teacher");
  EXPECT_EQ(subject_of(with_teacher("t.pt")), "distill");
  EXPECT_EQ(subject_of(with_teacher({{"teacher", "t.pt"}}, "linear")), "distill");
  Json numbers = with_teacher({{"teacher", "t.pt"}});
  lay_over(numbers, Json::parse(R"({"task": "regression", "loss": "mse", "stop": {"metric": "rmse"}})"));
  EXPECT_EQ(subject_of(numbers), "distill");
}

/// Photos of glass and paper, and files that may teach them.
class TeacherTest : public testing::Test {
 protected:
  /// A TorchScript file of a network that answers normalised images x.
  std::filesystem::path network(const std::string& answer, const torch::jit::ExtraFilesMap& extra_files = {}) {
    torch::jit::Module module("Network");
    module.define("def forward(self, x):\n  return " + answer + "\n");
    module.save((folder_ / "network.pt").string(), extra_files);
    return folder_ / "network.pt";
  }

  /// An artifact that was trained for an epoch on images of 32 px, with something else written into its metadata.
  template <typename Change>
  std::filesystem::path artifact(const Change& change) {
    Json json = test::small_recipe();
    json["phases"] = Json::parse(R"([{"epochs": 1}])");
    if (!std::filesystem::exists(folder_ / "run")) test::train(json, folder_ / "run");
    Artifact found = load_artifact(folder_ / "run/model.pt");
    change(found.metadata);
    save_artifact(folder_ / "artifact.pt", found.module, found.metadata);
    return folder_ / "artifact.pt";
  }

  static Teacher teacher(const std::filesystem::path& file, const std::string& sha256 = "", int size = 48) {
    DistillSpec spec{file, sha256};
    InputSpec input;
    input.size = size;
    Teacher found(spec, {"glass", "paper"}, input, at::kCPU, Trust::kScan);
    EXPECT_EQ(spec.sha256.size(), 64U);
    return found;
  }

  at::Tensor logits(const std::filesystem::path& file, const std::string& sha256 = "", int size = 48) {
    const auto tell = [&](std::size_t done, std::size_t total) {
      told_.push_back(done);
      EXPECT_EQ(total, samples_.size());
    };
    return teacher(file, sha256, size).logits(samples_, 7, tell, {});
  }

  std::string mistake(const std::filesystem::path& file, const std::string& sha256 = "") {
    try {
      logits(file, sha256);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  }

  test::TemporaryFolder folder_;
  std::vector<Sample> samples_ = list_dataset(test::photos()).samples;
  std::vector<std::size_t> told_;
};

TEST_F(TeacherTest, SeesEachImageAsTheRecipesInputMakesIt) {
  const at::Tensor found = logits(network("torch.stack([x.mean([1, 2, 3]), x.amax([1, 2, 3])], 1)"));
  ASSERT_EQ(found.sizes(), at::IntArrayRef({std::ssize(samples_), 2}));
  InputSpec input;
  input.size = 48;
  const at::Tensor last = normalize_images(load_image(samples_.back(), input, {}, 0).unsqueeze(0), input);
  EXPECT_TRUE(at::allclose(found[-1], at::stack({last.mean(), last.amax()}), 1e-5, 1e-5));
  EXPECT_THAT(told_, testing::ElementsAre(7, 14, 21, 24));
}

/// Notes what the thread allocates.
class Allocations : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t bytes, std::size_t, std::size_t, c10::Device) override {
    bytes_.push_back(bytes);
  }
  bool memoryProfilingEnabled() const override { return true; }
  auto of(std::int64_t bytes) const { return std::ranges::count(bytes_, bytes); }

 private:
  std::vector<std::int64_t> bytes_;
};

TEST_F(TeacherTest, AnswersAreGatheredInOnePlaceUntilAStop) {
  const auto file = network("x.mean([2, 3])[:, :2]");
  const at::Tensor whole = logits(file);
  const auto allocations = std::make_shared<Allocations>();
  const c10::DebugInfoGuard noted(c10::DebugInfoKind::PROFILER_STATE, allocations);
  std::stop_source stop;
  std::int64_t last = 0;
  const at::Tensor found = teacher(file).logits(
      samples_, 7,
      [&](std::size_t done, std::size_t) {
        EXPECT_EQ(allocations->of(whole.numel() * 4), 1);
        last = static_cast<std::int64_t>(done);
        stop.request_stop();
      },
      stop.get_token());
  EXPECT_LT(last, std::ssize(samples_));
  EXPECT_TRUE(found.equal(whole.narrow(0, 0, last)));
}

TEST_F(TeacherTest, AnArtifactSeesItsOwnImagesAndItsClassesComeInTheDatasOrder) {
  const at::Tensor found = logits(artifact([](ArtifactMetadata&) {}));
  EXPECT_TRUE(found.equal(logits(folder_ / "run/model.pt", "", 224)));
  const at::Tensor turned = logits(artifact([](ArtifactMetadata& data) { data.classes = {"paper", "glass"}; }));
  EXPECT_TRUE(turned.equal(found.flip(1)));
  EXPECT_FALSE(turned.equal(found));
}

TEST_F(TeacherTest, WhatCannotTeachIsAnErrorThatNamesTheKey) {
  const auto zeros = network("torch.zeros([x.size(0), 2]) * x.mean()");
  const auto artifact_of = [&](const std::string& answer, int format) {
    return network(answer, {{kMetadataFile, Json{{"graft_artifact", format}}.dump()}});
  };
  EXPECT_EQ(mistake(zeros), "accepted");
  EXPECT_EQ(mistake(network("(x.mean([2, 3])[:, :2] + 1).sigmoid()")), "accepted");
  const struct {
    std::string found, expected;
  } mistakes[] = {
      {mistake(folder_ / "absent.pt"), "absent.pt"},
      {mistake(zeros, std::string(64, '0')), "has SHA-256 "},
      {mistake(test::FixtureBackbone{"tiny_cnn", "scripted"}.file()), "with Float [2, 10], expected logits [2, 2]"},
      {mistake(network("x.mean([1, 2, 3])")), "Float [2], expected"},
      {mistake(network("x.mean([1, 2, 3]), 1")), "with Tuple[Tensor, int], expected"},
      {mistake(network("x.flatten(1).argsort(1)[:, :2]")), "Long [2, 2], expected"},
      {mistake(network("x.mean([2, 3])[:, :2].softmax(1)")), "answers with probabilities"},
      {mistake(network("x.reshape([1, 2])")), "fails on images [2, 3, 48, 48]"},
      {mistake(network("x.mean([2, 3])[:, :2] / (x.abs().sum([1, 2, 3]) < 1).float()[:, None]")), ".jpg' is no finite"},
      {mistake(artifact_of("x", kArtifactFormat + 1)), "update Graft"},
      {mistake(artifact_of("torch.from_file('/etc/passwd')", kArtifactFormat)), "from_file"},
      {mistake(artifact([](auto& data) { data.task = "multi_label"; })), "is for the task multi_label"},
      {mistake(artifact([](auto& data) {
         data.classes = {"glas", "paper"};
       })),
       "knows no class 'glass'"},
      {mistake(artifact([](auto& data) {
         data.classes = {"glass", "paper", "tin"};
       })),
       "knows the class 'tin' too"},
  };
  for (const auto& [found, expected] : mistakes) {
    EXPECT_THAT(found, HasSubstr("distill.teacher '"));
    EXPECT_THAT(found, HasSubstr(expected));
  }
}

}  // namespace
}  // namespace graft
