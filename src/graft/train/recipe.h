#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "graft/backbone/pooling.h"
#include "graft/backbone/train_selection.h"
#include "graft/data/dataset.h"
#include "graft/head/head_spec.h"
#include "graft/image/augment.h"
#include "graft/image/input_spec.h"
#include "graft/optim/clip.h"
#include "graft/optim/optimizer.h"
#include "graft/optim/penalty.h"
#include "graft/optim/schedule.h"
#include "graft/train/balance.h"
#include "graft/train/distillation.h"
#include "graft/train/loss.h"
#include "graft/train/mix.h"
#include "graft/train/weight_average.h"

namespace graft {

/// One phase: how long, which layers train, how.
struct Phase {
  std::string name;
  std::int64_t epochs = 1;
  std::vector<std::string> train{"head"};  ///< globs, see select_trained
  OptimizerSpec optimizer;
  ScheduleSpec schedule;
  ClipSpec clip;
  PenaltySpec penalty;
  AverageSpec average;
  std::int64_t accumulate = 1;  ///< batches of which a step takes the gradient
  double layer_lr_decay = 1;    ///< learning rate times this for every stage below the head
  BatchNormStatistics batch_norm = BatchNormStatistics::kFrozen;
};

/// When a phase ends early. Patience counts epochs without a better metric, within the phase; 0 never stops.
struct StopRule {
  std::string metric = "accuracy";
  std::int64_t patience = 0;
};

/// How closely a run is watched (diagnosis.h). Its result does not depend on it.
struct DiagnosisRule {
  std::int64_t steps = 3;      ///< looked at in each epoch; 0: nothing is
  bool overfit_batch = false;  ///< whether a copy of the head shall learn one batch by heart first
};

/// Everything that decides a run but its data. JSON form: docs/recipe.md.
struct Recipe {
  std::string preset = "none";  ///< that it was laid over; says where values come from, and decides nothing
  std::uint64_t seed = 0;
  Task task = Task::kSingleLabel;
  std::string device = "auto";
  std::string precision = "auto";
  int threads = 0;                 ///< 0: one a core
  std::filesystem::path backbone;  ///< file; in JSON relative to the recipe
  std::string backbone_sha256;     ///< "" not checked
  FeaturesChoice features;         ///< where the backbone's features are; in JSON backbone.features and .classifier
  PoolSpec pool;                   ///< of features that are maps or tokens; in JSON backbone.pool
  InputSpec input;
  FiguresOfData of_data;  ///< what of `input` is not known yet
  double val = 0.2;
  std::vector<std::string> classes;  ///< the order of an ordinal task's classes; none: see LabelOptions
  std::int64_t batch_size = 32;
  BalanceSpec balance;
  OnBadImage on_bad_image = OnBadImage::kSkip;
  Augmentation augment;
  MixSpec mix;
  std::string activations = "auto";  ///< "auto", "memory", "disk" or "off": where what crosses the boundary is kept
  std::int64_t views = 1;  ///< augmented views of each image that are kept; epoch e trains on view e mod views
  HeadSpec head;
  LossSpec loss;
  DistillSpec distill;  ///< its file in JSON relative to the recipe
  std::vector<Phase> phases;
  StopRule stop;
  DiagnosisRule diagnosis;

  BackboneOptions backbone_options(Trust trust) const {
    return {.image_size = input.size, .features = features, .pool = pool, .trust = trust};
  }
};

/// Reads a recipe whose relative paths start at `base`.
/// @throws Error with every problem, each named by its JSON path.
Recipe read_recipe(const Json& json, const std::filesystem::path& base);
/// JSON Schema (draft 2020-12) of what a recipe file may hold. What a rule over several keys forbids, it lets pass.
Json recipe_schema();
/// The full JSON form; the backbone's path is written relative to `base`.
Json to_json(const Recipe& recipe, const std::filesystem::path& base);

/// "probe", "linear", "finetune", "gradual", "tiny", "large".
const std::vector<std::string>& preset_names();
/// A preset's recipe for a task, without "backbone" and "input". @throws Error on an unknown name, or where the preset
/// does not serve the task.
Json preset_recipe(const std::string& name, const std::string& task = "single_label");
/// The task that a recipe, or a part of one, says; single_label where it says none.
std::string task_in(const Json& recipe);

/// The preset that a recipe is laid over: the one asked for, else the one that it names ("auto" too), else "probe".
std::string preset_under(const Json& recipe, const std::string& asked_for);

/// Lays `over` on top of `json`: the recipe's sections are merged key by key, everything else is replaced.
void lay_over(Json& json, const Json& over);
/// Sets "KEY=VALUE" where KEY is a dotted path such as phases.0.epochs and VALUE is JSON, or else a string.
/// @throws Error when there is no '=' or the path leads through something that is no object or list.
void set_key(Json& json, const std::string& assignment);

}  // namespace graft
