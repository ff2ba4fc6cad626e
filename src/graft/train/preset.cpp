#include <array>
#include <charconv>

#include "graft/core/error.h"
#include "graft/core/names.h"
#include "graft/train/recipe.h"
#include "graft/train/task.h"

namespace graft {
namespace {

/// Sections of a recipe that are merged key by key when one recipe is laid over another.
bool is_section(const std::string& key) {
  static constexpr std::array kSections{"backbone", "input", "data", "augment", "cache", "stop", "diagnosis"};
  return contains(kSections, key);
}

constexpr const char* kCommon = R"({
  "graft": 1, "preset": "none", "seed": 0, "device": "auto", "precision": "auto", "threads": 0,
  "data": {"val": 0.2, "classes": [], "batch_size": 32, "balance": "none", "on_bad_image": "skip", "augment": {"transforms": []}},
  "cache": {"activations": "auto", "views": 1},
  "head": [{"batch_norm": {}}, {"dropout": 0.25}, {"linear": 256, "init": "kaiming_normal"}, {"activation": "relu"},
           {"batch_norm": {}}, {"dropout": 0.5}, {"linear": "classes"}],
  "stop": {"patience": 0},
  "diagnosis": {"steps": 3, "overfit_batch": false}
})";

constexpr const char* kProbe = R"({
  "phases": [
    {"name": "probe", "epochs": 30, "train": ["head"], "optimizer": {"adamw": {"lr": 0.003, "weight_decay": 0.01}},
     "schedule": {"one_cycle": {}}}
  ]
})";

constexpr const char* kLinear = R"({
  "head": [{"batch_norm": {}}, {"linear": "classes"}],
  "loss": {"cross_entropy": {"label_smoothing": 0.0}},
  "phases": [
    {"name": "linear", "epochs": 1, "train": ["head"],
     "optimizer": {"lbfgs": {"max_iter": 1000, "line_search_fn": "strong_wolfe", "C": "cv"}}}
  ]
})";

constexpr const char* kFinetune = R"({
  "data": {"augment": {"transforms": [{"random_resized_crop": {"scale": [0.6, 1.0]}}, {"horizontal_flip": {"p": 0.5}}]}},
  "cache": {"views": 4},
  "phases": [
    {"name": "probe", "epochs": 12, "train": ["head"], "optimizer": {"adamw": {"lr": 0.003, "weight_decay": 0.01}},
     "schedule": {"one_cycle": {}}},
    {"name": "fine-tune", "epochs": 8, "train": ["head", "last:2"], "optimizer": {"adamw": {"lr": 0.0003, "weight_decay": 0.01}},
     "layer_lr_decay": 0.5, "schedule": {"cosine": {"warmup_epochs": 1}}}
  ]
})";

constexpr const char* kGradual = R"({
  "data": {"augment": {"transforms": [{"random_resized_crop": {"scale": [0.6, 1.0]}}, {"horizontal_flip": {"p": 0.5}}]}},
  "cache": {"views": 4},
  "phases": [
    {"name": "head", "epochs": 12, "train": ["head"], "optimizer": {"adamw": {"lr": 0.003, "weight_decay": 0.01}},
     "schedule": {"one_cycle": {}}},
    {"name": "last stage", "epochs": 4, "train": ["head", "last:1"], "optimizer": {"adamw": {"lr": 0.0005, "weight_decay": 0.01}},
     "layer_lr_decay": 0.5, "schedule": {"cosine": {"warmup_epochs": 0.5}}},
    {"name": "last two stages", "epochs": 4, "train": ["head", "last:2"], "optimizer": {"adamw": {"lr": 0.0003, "weight_decay": 0.01}},
     "layer_lr_decay": 0.5, "schedule": {"cosine": {"warmup_epochs": 0.5}}},
    {"name": "last four stages", "epochs": 4, "train": ["head", "last:4"], "optimizer": {"adamw": {"lr": 0.0002, "weight_decay": 0.01}},
     "layer_lr_decay": 0.5, "schedule": {"cosine": {"warmup_epochs": 0.5}}}
  ]
})";

// A linear head: there is no room to check a larger one. Layer normalisation needs no statistics of a few photos, and
// the loss tells epochs apart where accuracy has a dozen values.
constexpr const char* kTiny = R"({
  "data": {"batch_size": 16,
           "augment": {"transforms": [{"random_resized_crop": {"scale": [0.6, 1.0]}}, {"horizontal_flip": {"p": 0.5}}]}},
  "cache": {"views": 8},
  "head": [{"layer_norm": {}}, {"dropout": 0.25}, {"linear": "classes"}],
  "phases": [
    {"name": "probe", "epochs": 60, "train": ["head"], "optimizer": {"adamw": {"lr": 0.001, "weight_decay": 0.1}},
     "schedule": {"one_cycle": {}}}
  ],
  "stop": {"metric": "loss"}
})";

// Passes over the photos are few and dear: most layers train in them, and a running mean of the weights takes the place
// of a choice among many epochs.
constexpr const char* kLarge = R"({
  "data": {"batch_size": 128,
           "augment": {"transforms": [{"random_resized_crop": {"scale": [0.35, 1.0]}}, {"horizontal_flip": {"p": 0.5}}]}},
  "head": [{"batch_norm": {}}, {"dropout": 0.2}, {"linear": "classes"}],
  "phases": [
    {"name": "probe", "epochs": 2, "train": ["head"], "optimizer": {"adamw": {"lr": 0.003, "weight_decay": 0.01}},
     "schedule": {"one_cycle": {}}},
    {"name": "fine-tune", "epochs": 8, "train": ["head", "last:4"], "optimizer": {"adamw": {"lr": 0.0005, "weight_decay": 0.05}},
     "layer_lr_decay": 0.75, "schedule": {"cosine": {"warmup_epochs": 0.5}}, "clip": {"norm": 1.0},
     "average": {"ema": {"decay": 0.999, "warmup": true}}}
  ]
})";

struct Preset {
  std::string name;
  const char* json;
};
const std::array<Preset, 6>& presets() {
  static const std::array<Preset, 6> kPresets{{{"probe", kProbe},
                                               {"linear", kLinear},
                                               {"finetune", kFinetune},
                                               {"gradual", kGradual},
                                               {"tiny", kTiny},
                                               {"large", kLarge}}};
  return kPresets;
}

/// Splits "phases[0].epochs" or "phases.0.epochs" into its steps.
std::vector<std::string> path_steps(const std::string& path) {
  std::vector<std::string> steps(1);
  for (const char c : path) {
    if (c == '.' || c == '[')
      steps.emplace_back();
    else if (c != ']')
      steps.back() += c;
  }
  return steps;
}

Json& step_into(Json& json, const std::string& step, const std::string& assignment) {
  if (!json.is_array()) {
    if (json.is_null()) json = Json::object();
    if (!json.is_object())
      throw Error(
          {"--set " + assignment, "'" + step + "' lies within something that is no object", "a key of the recipe", ""});
    return json[step];
  }
  std::size_t index = 0;
  const auto [end, failure] = std::from_chars(step.data(), step.data() + step.size(), index);
  if (failure != std::errc() || end != step.data() + step.size() || index >= json.size())
    throw Error({"--set " + assignment, "'" + step + "' is no index of a list of " + std::to_string(json.size()),
                 "an index from 0", ""});
  return json[index];
}

}  // namespace

const std::vector<std::string>& preset_names() {
  static const std::vector<std::string> kNames = names_of(presets());
  return kNames;
}

std::string task_in(const Json& recipe) {
  const bool says = recipe.is_object() && recipe.contains("task") && recipe["task"].is_string();
  const std::string name = says ? recipe["task"].get<std::string>() : "";
  // A name that is none is a problem of the recipe's, which its reader reports with all others.
  const auto& names = task_names();
  return contains(names, name) ? name : names.front();
}

Json preset_recipe(const std::string& name, const std::string& task) {
  for (const auto& preset : presets()) {
    if (preset.name != name) continue;
    const TaskRow& row = task_row(task_named(task));
    Json json = parse_json(kCommon, "preset");
    json["task"] = task;
    json["loss"] = row.loss;
    json["stop"]["metric"] = row.metrics.front();
    json["preset"] = name;
    lay_over(json, parse_json(preset.json, "preset " + name));
    const std::string loss = json["loss"].begin().key();
    const auto losses = loss_names(row.task);
    if (!contains(losses, loss))
      throw Error({"preset '" + name + "'", "trains by " + loss + ", beside task " + task, "task single_label",
                   "preset probe serves every task"});
    return json;
  }
  if (name == "auto")
    throw Error({"preset 'auto'", "depends on the photos", "one of " + join(preset_names()), "graft train chooses"});
  throw Error(
      {"preset '" + name + "'", "is unknown", "one of " + join(preset_names()), did_you_mean(name, preset_names())});
}

std::string preset_under(const Json& recipe, const std::string& asked_for) {
  if (!asked_for.empty()) return asked_for;
  const auto named = recipe.is_object() ? recipe.value("preset", Json("none")) : Json("none");
  return named.is_string() && named != "none" ? named.get<std::string>() : "probe";
}

void lay_over(Json& json, const Json& over) {
  if (!json.is_object() || !over.is_object()) {
    json = over;
    return;
  }
  for (const auto& [key, value] : over.items()) {
    if (is_section(key) && json.contains(key))
      lay_over(json[key], value);
    else
      json[key] = value;
  }
}

void set_key(Json& json, const std::string& assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0)
    throw Error({"--set " + assignment, "has no KEY=VALUE", "such as data.batch_size=64 or phases.0.epochs=5", ""});
  const std::string text = assignment.substr(equals + 1);
  Json* place = &json;
  for (const auto& step : path_steps(assignment.substr(0, equals))) place = &step_into(*place, step, assignment);
  Json value = Json::parse(text, nullptr, false);
  *place = value.is_discarded() ? Json(text) : std::move(value);
}

}  // namespace graft
