#include "graft/train/recipe.h"

#include <set>

#include "graft/core/error.h"
#include "graft/core/names.h"
#include "graft/train/full_batch.h"
#include "graft/train/task.h"
#include "graft/train/task_problems.h"

namespace graft {
namespace {

constexpr int kRecipeFormat = 1;

const std::vector<std::string> kBatchNormNames{"frozen", "update"};
const std::vector<std::string> kBadImageNames{"skip", "fail"};

std::filesystem::path resolved(const std::filesystem::path& path, const std::filesystem::path& base) {
  return path.empty() || path.is_absolute() ? path : (base / path).lexically_normal();
}

const Json& null_json() {
  static const Json kNull;
  return kNull;
}

/// The member, or a problem when it is absent.
const Json& required(JsonReader& reader, const std::string& key) {
  const Json* found = reader.member(key);
  if (found == nullptr) reader.problem(key, "is missing", "this key");
  return found == nullptr ? null_json() : *found;
}

void read_steps(JsonReader& reader, Phase& phase) {
  auto& problems = reader.problems();
  const std::size_t before = problems.size();
  if (const Json* optimizer = reader.member("optimizer"))
    phase.optimizer = read_optimizer_spec(*optimizer, reader.path_of("optimizer"), problems);
  if (const Json* schedule = reader.member("schedule"))
    phase.schedule = read_schedule_spec(*schedule, reader.path_of("schedule"), problems);
  if (problems.size() == before && phase.schedule.cycles_momentum() && !phase.optimizer.has_momentum())
    reader.problem("schedule." + phase.schedule.name + ".cycle_momentum", "is true",
                   "false beside " + phase.optimizer.name + ", which has no momentum", "");
  if (const Json* average = reader.member("average"))
    phase.average = read_average_spec(*average, reader.path_of("average"), problems);
  if (problems.size() == before && phase.average.start() > phase.epochs)
    reader.problem("average." + phase.average.name + ".start", "is " + std::to_string(phase.average.start()),
                   "at most the phase's " + std::to_string(phase.epochs) + " epochs", "");
  phase.accumulate = reader.integer("accumulate", 1, Range::between(1, 1024));
  if (const Json* penalty = reader.member("penalty"))
    phase.penalty = read_penalty_spec(*penalty, reader.path_of("penalty"), problems);
  if (const Json* clip = reader.member("clip")) phase.clip = read_clip_spec(*clip, reader.path_of("clip"), problems);
}

Phase read_phase(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  JsonReader reader(value, path, problems);
  Phase phase;
  phase.name = reader.string("name", "");
  phase.epochs = reader.integer("epochs", 1, Range::between(1, 100000));
  phase.train = reader.strings("train", phase.train, 1);
  read_steps(reader, phase);
  phase.layer_lr_decay = reader.number("layer_lr_decay", 1, {.low = 0, .high = 1, .low_open = true});
  phase.batch_norm = reader.choice("batch_norm", "frozen", kBatchNormNames) == "update" ? BatchNormStatistics::kUpdate
                                                                                        : BatchNormStatistics::kFrozen;
  reader.finish();
  return phase;
}

void read_phases(JsonReader& reader, Recipe& recipe) {
  std::set<std::string> names;
  const auto read = [&](const Json& value, const std::string& path) {
    recipe.phases.push_back(read_phase(value, path, reader.problems()));
    auto& name = recipe.phases.back().name;
    if (name.empty()) name = "phase " + std::to_string(recipe.phases.size());
    if (!names.insert(name).second)
      reader.problems().push_back({path + ".name", "is '" + name + "' again", "a name of its own", ""});
  };
  if (const Json& phases = required(reader, "phases"); !phases.is_null())
    read_items(phases, "phases", 1, "a list of at least one phase", reader.problems(), read);
}

void read_data(JsonReader reader, Recipe& recipe) {
  recipe.val = reader.number("val", recipe.val, {.low = 0, .high = 1, .low_open = true, .high_open = true});
  recipe.batch_size = reader.integer("batch_size", recipe.batch_size, Range::between(2, 65536));
  recipe.classes = reader.strings("classes", {});
  if (const Json* balance = reader.member("balance"))
    recipe.balance = read_balance_spec(*balance, reader.path_of("balance"), reader.problems());
  recipe.on_bad_image =
      reader.choice("on_bad_image", "skip", kBadImageNames) == "fail" ? OnBadImage::kFail : OnBadImage::kSkip;
  recipe.augment = Augmentation::read(reader.object("augment"), recipe.input);
  if (const Json* mix = reader.member("mix"))
    recipe.mix = read_mix_spec(*mix, reader.path_of("mix"), reader.problems());
  reader.finish();
}

void read_cache(JsonReader reader, Recipe& recipe) {
  recipe.activations =
      reader.choice("activations", recipe.activations, std::vector<std::string>{"auto", "memory", "disk", "off"});
  recipe.views = reader.integer("views", recipe.views, Range::between(1, 10000));
  reader.finish();
}

void read_backbone(JsonReader reader, Recipe& recipe, const std::filesystem::path& base) {
  const std::string file = reader.string("file", "");
  if (file.empty())
    reader.problem("file", "is missing", "a TorchScript file",
                   "\"backbone\": {\"file\": \"weights/NAME.pt\"}, or --backbone NAME");
  recipe.backbone = resolved(file, base);
  recipe.backbone_sha256 = reader.string("sha256", "");
  recipe.features.path = reader.string("features", "");
  const auto& choices = classifier_choice_names();
  recipe.features.classifier = classifier_choice(reader.choice("classifier", choices.front(), choices));
  if (!recipe.features.path.empty() && recipe.features.classifier != ClassifierChoice::kAuto)
    reader.problem("classifier", "is given beside backbone.features", "one of the two");
  if (const Json* pool = reader.member("pool"))
    recipe.pool = read_pool_spec(*pool, reader.path_of("pool"), reader.problems());
  reader.finish();
}

void read_stop(JsonReader reader, Recipe& recipe) {
  recipe.stop.metric = reader.choice("metric", task_row(recipe.task).metrics.front(), stop_metrics());
  recipe.stop.patience = reader.integer("patience", recipe.stop.patience, Range::between(0, 100000));
  reader.finish();
}

void read_diagnosis(JsonReader reader, DiagnosisRule& rule) {
  rule.steps = reader.integer("steps", rule.steps, Range::between(0, 1000));
  rule.overfit_batch = reader.boolean("overfit_batch", rule.overfit_batch);
  reader.finish();
}

Json phase_json(const Phase& phase) {
  return {{"name", phase.name},
          {"epochs", phase.epochs},
          {"train", phase.train},
          {"optimizer", to_json(phase.optimizer)},
          {"schedule", to_json(phase.schedule)},
          {"clip", to_json(phase.clip)},
          {"penalty", to_json(phase.penalty)},
          {"average", to_json(phase.average)},
          {"accumulate", phase.accumulate},
          {"layer_lr_decay", phase.layer_lr_decay},
          {"batch_norm", kBatchNormNames[static_cast<std::size_t>(phase.batch_norm)]}};
}

/// What "preset" takes: "auto" is for graft train to choose.
std::vector<std::string> presets_to_name() {
  std::vector<std::string> names = preset_names();
  names.insert(names.end(), {"auto", "none"});
  return names;
}

Recipe read_keys(const Json& json, const std::filesystem::path& base, std::vector<Problem>& problems) {
  JsonReader reader(json, "", problems);
  Recipe recipe;
  reader.integer("graft", kRecipeFormat, Range::between(kRecipeFormat, kRecipeFormat));
  recipe.preset = reader.choice("preset", recipe.preset, presets_to_name());
  recipe.seed = static_cast<std::uint64_t>(reader.integer("seed", 0, Range::between(0, 9007199254740992.0)));
  recipe.task = task_named(reader.choice("task", to_string(recipe.task), task_names()));
  recipe.device = reader.string("device", recipe.device);
  recipe.precision = reader.choice("precision", recipe.precision, std::vector<std::string>{"auto", "fp32"});
  recipe.threads = static_cast<int>(reader.integer("threads", 0, Range::between(0, 1024)));
  read_backbone(reader.object("backbone"), recipe, base);
  recipe.input = read_input_spec(reader.object("input"), {}, &recipe.of_data);
  read_data(reader.object("data"), recipe);
  read_cache(reader.object("cache"), recipe);
  if (const Json& head = required(reader, "head"); !head.is_null())
    recipe.head = read_head_spec(head, "head", problems);
  const Json* loss = reader.member("loss");
  recipe.loss = read_loss_spec(loss == nullptr ? task_row(recipe.task).loss : *loss, "loss", problems);
  if (const Json* distill = reader.member("distill")) recipe.distill = read_distill_spec(*distill, "distill", problems);
  recipe.distill.teacher = resolved(recipe.distill.teacher, base);
  read_phases(reader, recipe);
  read_stop(reader.object("stop"), recipe);
  read_diagnosis(reader.object("diagnosis"), recipe.diagnosis);
  reader.finish();
  return recipe;
}

}  // namespace

Recipe read_recipe(const Json& json, const std::filesystem::path& base) {
  std::vector<Problem> problems;
  Recipe recipe = read_keys(json, base, problems);
  if (problems.empty()) problems = task_problems(recipe);
  if (problems.empty()) problems = full_batch_problems(recipe);
  if (problems.empty()) problems = mix_problems(recipe);
  if (!problems.empty()) throw Error(problems);
  return recipe;
}

Json recipe_schema() {
  JsonSchema schema;
  std::vector<Problem> of_nothing;  // of a recipe without keys
  read_keys(schema.question(), "", of_nothing);
  Json json{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "Graft recipe"}};
  json.update(schema.json());
  return json;
}

Json to_json(const Recipe& recipe, const std::filesystem::path& base) {
  Json json{{"graft", kRecipeFormat},         {"preset", recipe.preset}, {"seed", recipe.seed},
            {"task", to_string(recipe.task)}, {"device", recipe.device}, {"precision", recipe.precision},
            {"threads", recipe.threads}};
  json["backbone"] = {{"file", std::filesystem::proximate(recipe.backbone, base).generic_string()},
                      {"sha256", recipe.backbone_sha256},
                      {"features", recipe.features.path},
                      {"classifier", classifier_choice_names()[static_cast<std::size_t>(recipe.features.classifier)]},
                      {"pool", to_json(recipe.pool)}};
  json["input"] = to_json(recipe.input);
  if (recipe.of_data.mean) json["input"]["mean"] = "data";
  if (recipe.of_data.std) json["input"]["std"] = "data";
  if (!recipe.of_data.whiten.empty()) json["input"]["whiten"] = recipe.of_data.whiten;
  json["data"] = {{"val", recipe.val},
                  {"classes", recipe.classes},
                  {"batch_size", recipe.batch_size},
                  {"balance", to_json(recipe.balance)},
                  {"on_bad_image", kBadImageNames[static_cast<std::size_t>(recipe.on_bad_image)]},
                  {"augment", recipe.augment.to_json()},
                  {"mix", to_json(recipe.mix)}};
  json["cache"] = {{"activations", recipe.activations}, {"views", recipe.views}};
  json["head"] = to_json(recipe.head);
  json["loss"] = to_json(recipe.loss);
  if (recipe.distill.distills()) json["distill"] = to_json(recipe.distill, base);
  json["phases"] = Json::array();
  for (const auto& phase : recipe.phases) json["phases"].push_back(phase_json(phase));
  json["stop"] = {{"metric", recipe.stop.metric}, {"patience", recipe.stop.patience}};
  json["diagnosis"] = {{"steps", recipe.diagnosis.steps}, {"overfit_batch", recipe.diagnosis.overfit_batch}};
  return json;
}

}  // namespace graft
