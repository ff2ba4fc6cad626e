#include <gmock/gmock.h>
#include <torch/types.h>

#include <map>
#include <tuple>

#include "graft/artifact/artifact.h"
#include "graft/artifact/predictor.h"
#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/hash.h"
#include "graft/train/checkpoint.h"
#include "graft/train/evaluate.h"
#include "graft/train/export_checkpoint.h"
#include "support/fixture_backbones.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

using test::small_recipe;
using test::train;
using test::two_phases;
using testing::HasSubstr;

/// What the tiny network learns of the photos in many epochs.
std::filesystem::path teacher_in(const std::filesystem::path& folder) {
  Json recipe = small_recipe();
  recipe["loss"] = "cross_entropy";
  recipe["phases"] = Json::parse(R"([{"epochs": 40, "train": ["*"], "optimizer": {"adamw": {"lr": 0.005}}}])");
  train(recipe, folder / "taught");
  return folder / "taught/model.pt";
}

/// The photos, those of the training split each under the other class's name.
std::filesystem::path misleading_table(const std::filesystem::path& folder) {
  std::string table = "path,label,split\n";
  std::map<std::int64_t, int> seen;
  for (const auto& sample : list_dataset(test::photos()).samples) {
    const bool validates = seen[sample.label]++ % 3 == 0;
    table += sample.path + ((sample.label == 0) == validates ? ",glass," : ",paper,");
    table += validates ? "val\n" : "train\n";
  }
  replace_file(folder / "photos.csv", table);
  return folder / "photos.csv";
}

/// Mean difference of what two models take the photos for.
double apart(const std::filesystem::path& model, const std::filesystem::path& other) {
  const Dataset dataset = list_dataset(test::photos());
  const auto answers = [&](const std::filesystem::path& file) {
    return probabilities_of(Predictor::load(file), dataset.samples, 1, [](std::size_t) {});
  };
  return (answers(model) - answers(other)).abs().mean().item<double>();
}

TEST(Trainer, AStudentAnswersAsItsTeacherWhateverItsLabelsSay) {
  test::TemporaryFolder folder;
  const auto teacher = teacher_in(folder.path());
  RunSpec run{{}, misleading_table(folder.path()), ""};
  const auto trained = [&](const Json& recipe, const std::string& name) {
    run.recipe = read_recipe(recipe, "");
    run.folder = folder / name;
    Trainer(run).run();
    // Not the best epoch: the validation photos, whose labels are right, choose one that has learned little.
    Observer nobody;
    export_checkpoint(RunFolder(run.folder), run.folder / "last.pt", {.checkpoint = "last"}, nobody);
    return run.folder / "last.pt";
  };
  for (const auto& [name, backbone, list] :
       {std::tuple{"head", teacher, "head"}, {"whole", test::FixtureBackbone{"tiny_cnn", "scripted"}.file(), "*"}}) {
    Json recipe = small_recipe();
    recipe["backbone"]["file"] = backbone.string();
    recipe["phases"] =
        Json::parse(R"([{"epochs": 60, "optimizer": {"adamw": {"lr": 0.01}}, "schedule": {"one_cycle": {}}}])");
    recipe["phases"][0]["train"] = {list};
    const double alone = apart(trained(recipe, name + std::string("_alone")), teacher);
    recipe["distill"] = {{"teacher", teacher.string()}, {"alpha", 1}};
    const double taught = apart(trained(recipe, name), teacher);
    EXPECT_LT(taught, 0.5 * alone) << name;
  }
  const Json resolved = read_json_file(run.folder / "recipe.json")["distill"];
  EXPECT_EQ(resolved["teacher"], "../taught/model.pt");
  EXPECT_EQ(resolved["sha256"], sha256_file(teacher));
  EXPECT_EQ(load_artifact(run.folder / "model.pt").metadata.recipe["distill"]["teacher"], "model.pt");
}

/// Asks for a stop as soon as the teacher has looked at images.
class StopAtTeacher : public Observer {
 public:
  explicit StopAtTeacher(std::stop_source& stop) : stop_(stop) {}
  void on_teacher_progress(std::size_t, std::size_t) override { stop_.request_stop(); }

 private:
  std::stop_source& stop_;
};

TEST(Trainer, AStudentIsResumedBitIdenticalByTheSameTeacherAlone) {
  test::TemporaryFolder folder;
  Json recipe = two_phases();
  recipe["data"]["mix"] = Json::parse(R"({"mixup": {"on": "activations"}})");
  std::filesystem::copy(teacher_in(folder.path()), folder / "teacher.pt");
  recipe["distill"] = {{"teacher", (folder / "teacher.pt").string()}};
  train(recipe, folder / "whole");
  std::stop_source stop;
  Trainer first(test::spec(recipe, folder / "run"));
  first.add_observer(std::make_shared<test::StopAt>(stop, 8));
  EXPECT_FALSE(first.run(stop.get_token()).finished);
  std::stop_source early;
  Trainer second = Trainer::resume(folder / "run");
  second.add_observer(std::make_shared<StopAtTeacher>(early));
  EXPECT_FALSE(second.run(early.get_token()).finished);
  std::filesystem::rename(folder / "teacher.pt", folder / "kept.pt");
  std::filesystem::copy(folder / "whole/model.pt", folder / "teacher.pt");
  try {
    Trainer::resume(folder / "run").run();
    ADD_FAILURE() << "another file teaches";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("teacher.pt': has SHA-256"));
  }
  std::filesystem::remove(folder / "teacher.pt");
  std::filesystem::rename(folder / "kept.pt", folder / "teacher.pt");
  EXPECT_TRUE(Trainer::resume(folder / "run").run().finished);
  const auto last = [&](const char* run) {
    return load_checkpoint(folder / run / "checkpoint/last.pt").under("network").at("head.linear_2.weight");
  };
  EXPECT_TRUE(last("run").equal(last("whole")));

  // The export asks no teacher.
  std::filesystem::remove(folder / "teacher.pt");
  std::filesystem::remove(folder / "run/model.pt");
  EXPECT_TRUE(Trainer::resume(folder / "run").run().finished);
}

}  // namespace
}  // namespace graft
