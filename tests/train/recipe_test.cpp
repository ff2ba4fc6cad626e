#include "graft/train/recipe.h"

#include <gmock/gmock.h>

#include "graft/core/error.h"

namespace graft {
namespace {

using testing::HasSubstr;

Json complete(const std::string& preset) {
  Json json = preset_recipe(preset);
  json["backbone"] = {{"file", "weights/b.pt"}};
  return json;
}

TEST(Recipe, EveryPresetReadsAndReadsBackTheSame) {
  for (const auto& name : preset_names()) {
    const Recipe recipe = read_recipe(complete(name), "/base");
    EXPECT_EQ(recipe.backbone, "/base/weights/b.pt");
    const Json written = to_json(recipe, "/base");
    EXPECT_EQ(written["backbone"]["file"], "weights/b.pt");
    EXPECT_EQ(to_json(read_recipe(written, "/base"), "/base"), written) << name;
  }
}

TEST(Recipe, ReportsAllMistakesWithTheirPaths) {
  Json json = complete("probe");
  json["data"]["batchsize"] = 3;
  json["phases"][0]["optimizer"] = Json::parse(R"({"adamw": {"lr": -1}})");
  json["head"] = Json::parse(R"([{"linear": "classes"}, {"relu": {}}])");
  try {
    read_recipe(json, "");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("data.batchsize"));
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'batch_size'?"));
    EXPECT_THAT(error.what(), HasSubstr("phases[0].optimizer.adamw.lr"));
    EXPECT_THAT(error.what(), HasSubstr("head[1]"));
  }
}

TEST(Recipe, LimitsAreExact) {
  const auto accepts = [](const std::string& assignment) {
    Json json = complete("probe");
    set_key(json, assignment);
    try {
      read_recipe(json, "");
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  EXPECT_FALSE(accepts("data.batch_size=1"));
  EXPECT_TRUE(accepts("data.batch_size=2"));
  EXPECT_FALSE(accepts("data.val=0"));
  EXPECT_FALSE(accepts("data.val=1"));
  EXPECT_TRUE(accepts("data.val=0.99"));
  EXPECT_FALSE(accepts("phases[0].epochs=0"));
  EXPECT_TRUE(accepts("phases[0].layer_lr_decay=1"));
  EXPECT_FALSE(accepts("phases[0].layer_lr_decay=0"));
  EXPECT_FALSE(accepts("graft=2"));
}

TEST(Recipe, AScheduleCyclesNoMomentumThatIsNotThere) {
  Json json = complete("probe");
  json["phases"][0]["optimizer"] = "adagrad";
  json["phases"][0]["schedule"] = "one_cycle";
  try {
    read_recipe(json, "");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("phases[0].schedule.one_cycle.cycle_momentum"));
  }
  json["phases"][0]["schedule"] = Json::parse(R"({"one_cycle": {"cycle_momentum": false}})");
  EXPECT_EQ(read_recipe(json, "").phases[0].optimizer.name, "adagrad");
}

TEST(Recipe, APhaseMayClipItsGradients) {
  Json json = complete("probe");
  EXPECT_EQ(to_json(read_recipe(json, ""), "")["phases"][0]["clip"], "none");
  json["phases"][0]["clip"] = {{"adaptive", 0.02}};
  const Recipe recipe = read_recipe(json, "");
  EXPECT_EQ(recipe.phases[0].clip.limit, 0.02);
  EXPECT_EQ(to_json(recipe, "")["phases"][0]["clip"], json["phases"][0]["clip"]);
  json["phases"][0]["clip"]["adaptive"] = 0;
  try {
    read_recipe(json, "");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("phases[0].clip.adaptive"));
  }
}

TEST(Recipe, AnAverageStartsWithinItsPhase) {
  Json json = complete("probe");
  json["phases"][0]["average"] = {{"swa", {{"start", json["phases"][0]["epochs"]}}}};
  EXPECT_EQ(read_recipe(json, "").phases[0].average.start(), json["phases"][0]["epochs"]);
  json["phases"][0]["epochs"] = 2;
  try {
    read_recipe(json, "");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("phases[0].average.swa.start"));
  }
}

TEST(Recipe, APhaseOfAllImagesAtOnceHasNoSingleSteps) {
  const auto subject_of = [](const std::string& assignment) {
    Json json = complete("linear");
    set_key(json, assignment);
    try {
      read_recipe(json, "");
    } catch (const Error& error) {
      return error.problems().front().subject;
    }
    return std::string("accepted");
  };
  EXPECT_EQ(subject_of("phases[0].name=fit"), "accepted");
  EXPECT_EQ(subject_of("head=[{\"linear\": \"classes\"}]"), "accepted");
  EXPECT_EQ(subject_of("phases[0].epochs=2"), "phases[0].epochs");
  EXPECT_EQ(subject_of("phases[0].schedule=cosine"), "phases[0].schedule");
  EXPECT_EQ(subject_of("phases[0].clip={\"norm\": 1}"), "phases[0].clip");
  EXPECT_EQ(subject_of("phases[0].layer_lr_decay=0.5"), "phases[0].layer_lr_decay");
  EXPECT_EQ(subject_of("phases[0].average=ema"), "phases[0].average");
  EXPECT_EQ(subject_of("phases[0].penalty=l2"), "phases[0].penalty");
  EXPECT_EQ(subject_of("phases[0].accumulate=2"), "phases[0].accumulate");
  EXPECT_EQ(subject_of("cache.activations=off"), "cache.activations");
  EXPECT_EQ(subject_of("data.balance=sampler"), "data.balance");
  EXPECT_EQ(subject_of("data.balance=loss"), "accepted");
  EXPECT_EQ(subject_of("data.augment.transforms=[\"horizontal_flip\"]"), "data.augment.transforms");
  EXPECT_EQ(subject_of("head=[{\"dropout\": 0.5}, {\"linear\": \"classes\"}]"), "head[0]");
  EXPECT_EQ(subject_of("head=[{\"batch_norm\": {}}, {\"dropout\": 0.5}, {\"linear\": \"classes\"}]"), "head[1]");
}

TEST(Recipe, MixedImagesAreNewInEveryStep) {
  const auto subject_of = [](const std::string& preset, const char* mix, const char* activations) {
    Json json = complete(preset);
    json["data"]["mix"] = Json::parse(mix);
    json["cache"]["activations"] = activations;
    try {
      read_recipe(json, "");
    } catch (const Error& error) {
      return error.problems().front().subject;
    }
    return std::string("accepted");
  };
  EXPECT_EQ(subject_of("probe", R"("mixup")", "auto"), "cache.activations");
  EXPECT_EQ(subject_of("probe", R"("cutmix")", "memory"), "cache.activations");
  EXPECT_EQ(subject_of("probe", R"("mixup_cutmix")", "off"), "accepted");
  EXPECT_EQ(subject_of("probe", R"({"mixup": {"on": "activations"}})", "auto"), "accepted");
  EXPECT_EQ(subject_of("linear", R"({"mixup": {"on": "activations"}})", "auto"), "data.mix");
}

TEST(LayOver, MergesSectionsAndReplacesTheRest) {
  Json json = complete("finetune");
  lay_over(json,
           Json::parse(R"({"data": {"batch_size": 8}, "loss": {"cross_entropy": {}}, "phases": [{"epochs": 1}]})"));
  EXPECT_EQ(json["data"]["batch_size"], 8);
  EXPECT_EQ(json["data"]["val"], 0.2);
  EXPECT_EQ(json["loss"]["cross_entropy"], Json::object());
  EXPECT_EQ(json["phases"].size(), 1U);
}

TEST(SetKey, TakesPathsAndJsonOrPlainWords) {
  Json json = complete("probe");
  set_key(json, "phases.0.epochs=7");
  set_key(json, "balance.new={\"a\": [1]}");
  set_key(json, "device=cpu");
  EXPECT_EQ(json["phases"][0]["epochs"], 7);
  EXPECT_EQ(json["balance"]["new"]["a"][0], 1);
  EXPECT_EQ(json["device"], "cpu");
  EXPECT_THROW(set_key(json, "no equals sign"), Error);
  EXPECT_THROW(set_key(json, "phases.9.epochs=1"), Error);
}

}  // namespace
}  // namespace graft
