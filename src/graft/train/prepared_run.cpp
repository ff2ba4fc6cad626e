#include "graft/train/prepared_run.h"

#include <algorithm>
#include <utility>

#include "graft/core/error.h"
#include "graft/core/hash.h"
#include "graft/core/random.h"
#include "graft/core/runtime.h"
#include "graft/head/build_head.h"
#include "graft/head/lsuv.h"
#include "graft/head/whitening.h"
#include "graft/optim/schedule.h"
#include "graft/train/full_batch.h"
#include "graft/train/pixel_statistics.h"
#include "graft/train/step_format.h"
#include "graft/train/stored_run.h"
#include "graft/train/task.h"
#include "graft/train/training_samples.h"

namespace graft {
namespace {

/// Steps of a phase from which it saves more than it takes to time a few in each format. Counted, so that equal runs
/// choose alike; what was timed is remembered.
constexpr std::int64_t kStepsWorthTiming = 300;

std::uint64_t head_seed(const Recipe& recipe) { return derive_seed(recipe.seed, "initialisation"); }

Dataset load_data(RunSpec& spec, const PreparedRun::Listener& listener) {
  Dataset dataset = load_run_data(spec, listener.skipped_image, listener.message);
  resolve_input(spec.recipe, dataset, thread_count(), listener.message);
  return dataset;
}

Network make_network(const RunSpec& spec, const Dataset& dataset, c10::Device device,
                     const PreparedRun::Listener& listener) {
  const Recipe& recipe = spec.recipe;
  Backbone backbone = Backbone::load(recipe.backbone, recipe.backbone_options(spec.environment.trust));
  listener.message(backbone.summary());
  for (const auto& note : backbone.notes()) listener.message("note: " + note);
  auto head = build_head(recipe.head, backbone.num_features(), head_outputs(dataset), head_seed(recipe),
                         dataset.class_counts(Split::kTrain));
  return {std::move(backbone), std::move(head), device};
}

std::vector<TrainSelection> select_all(const Recipe& recipe, const Network& network) {
  std::vector<TrainSelection> selections;
  std::vector<Problem> problems;
  bool head_trains = false;
  for (std::size_t i = 0; i < recipe.phases.size(); ++i) {
    const Phase& phase = recipe.phases[i];
    const std::string key = "phases[" + std::to_string(i) + "].train";
    try {
      selections.push_back(select_trained(phase.train, network.backbone(), network.head_parameters(), key));
      if (selections.back().head.empty() && selections.back().backbone.empty())
        problems.push_back({key, "trains nothing", "at least one parameter", ""});
      const auto in_the_way = full_batch_problems(recipe, phase, selections.back(), key);
      problems.insert(problems.end(), in_the_way.begin(), in_the_way.end());
      head_trains = head_trains || !selections.back().head.empty();
      make_schedule(phase.schedule, phase.optimizer.lr(), {phase.epochs, 1});
    } catch (const Error& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }
  if (problems.empty() && !head_trains)
    problems.push_back({"phases", "leave the new head untrained", "\"head\" in at least one phase's \"train\"", ""});
  if (!problems.empty()) throw Error(problems);
  return selections;
}

ImageSource source_of(const Recipe& recipe, Samples samples, const Augmentation& augmentation, c10::Device device) {
  return {std::move(samples), recipe.input, augmentation, rows_at_once(device), thread_count()};
}

FrozenEngines::Options engine_options(const RunSpec& spec, bool reduced, const PreparedRun::Listener& listener) {
  return {spec.recipe.input, reduced, thread_count(), spec.environment.engines, listener.message};
}

/// Engines in float32 beside `engines`, where those are not.
std::optional<FrozenEngines> float32_engines(const RunSpec& spec, c10::Device device, const FrozenEngines& engines,
                                             const PreparedRun::Listener& listener) {
  const auto is_reduced = [&](const EngineKind& kind) { return kind.is_reduced() && kind.suits(device); };
  if (spec.recipe.precision != "auto" || std::ranges::none_of(engine_kinds(), is_reduced)) return std::nullopt;
  auto options = engine_options(spec, /*reduced=*/false, listener);
  options.examples = engines.examples();
  return FrozenEngines(std::move(options));
}

FrozenActivations::Options activation_options(const RunSpec& spec, const std::string& precision, std::size_t memory,
                                              const PreparedRun::Listener& listener) {
  const Recipe& recipe = spec.recipe;
  return {.keep = recipe.activations,
          .views = static_cast<std::uint64_t>(recipe.views),
          .seed = recipe.seed,
          .memory = memory,
          .stores = spec.environment.stores,
          .looks_only = spec.environment.looks_only,
          .precision = precision,
          .message = listener.message};
}

}  // namespace

PreparedRun::PreparedRun(RunSpec& spec, c10::Device device, std::size_t memory_given, const Listener& listener,
                         std::size_t first_phase)
    : dataset(load_data(spec, listener)),
      answer(answer_module(dataset)),
      network(make_network(spec, dataset, device, listener)),
      selections(select_all(spec.recipe, network)),
      memory(memory_given > 0 ? memory_given : available_memory() / 2),
      engines(engine_options(spec, spec.recipe.precision == "auto", listener)),
      val_engines(float32_engines(spec, device, engines, listener)),
      train(source_of(spec.recipe, dataset.of(Split::kTrain), spec.recipe.augment, device),
            activation_options(spec, spec.recipe.precision, memory, listener), engines),
      val(source_of(spec.recipe, dataset.of(Split::kVal), {}, device),
          activation_options(spec, val_engines ? "fp32" : spec.recipe.precision, memory, listener),
          val_engines ? *val_engines : engines),
      recipe_(spec.recipe),
      message_(listener.message),
      verdicts_(spec.environment.engines) {
  if (std::ranges::any_of(recipe_.phases, [](const Phase& phase) { return phase.penalty.holds_to_pretrained(); }))
    pretrained = copy_tensors(tensors());
  if (recipe_.distill.distills() && first_phase < recipe_.phases.size())
    teacher_.emplace(spec.recipe.distill, dataset.classes, recipe_.input, device, spec.environment.trust);
}

bool PreparedRun::ask_teacher(const FrozenProgress& progress, const std::stop_token& stop, std::size_t first) {
  if (!teacher_) return true;
  const Samples samples = train.samples().first(first);
  message_(c10::str(teacher_->summary(), ": looks at each of the ", train.samples().size(), " training photos once"));
  const at::Tensor logits = teacher_->logits(samples, recipe_.batch_size, progress, stop);
  if (logits.size(0) < std::ssize(samples)) return false;
  distillation_ = {recipe_.distill.alpha, recipe_.distill.temperature, logits};
  teacher_.reset();
  return true;
}

TrainingLoss PreparedRun::training_loss() const {
  TORCH_CHECK(!teacher_, "the teacher was not asked");
  const auto& samples = train.samples();
  const auto class_counts = dataset.class_counts(Split::kTrain);
  return {make_loss(recipe_.loss, class_counts, static_cast<std::int64_t>(samples.size())), training_targets(dataset),
          loss_weights(recipe_.balance, samples, class_counts), distillation_};
}

std::map<std::string, at::Tensor> PreparedRun::tensors() const {
  const bool statistics_move = std::ranges::any_of(
      recipe_.phases, [](const Phase& phase) { return phase.batch_norm == BatchNormStatistics::kUpdate; });
  return network.tensors(selections, statistics_move);
}

std::vector<RowUse> PreparedRun::row_uses(std::size_t phase) const {
  std::vector<RowUse> uses;
  for (std::size_t i = phase; i < selections.size(); ++i) {
    const Phase& read = recipe_.phases[i];
    const bool again = read.optimizer.full_batch() || read.average.averages() || (i == 0 && whitens(recipe_.head));
    uses.push_back({network.backbone().boundary_below(selections[i].backbone), read.epochs, again});
  }
  return uses;
}

void PreparedRun::begin_phase(std::size_t phase) {
  network.select(selections[phase], recipe_.phases[phase].batch_norm);
  prepare_rows(phase);
  if (network.boundary() < network.backbone().last_boundary()) choose_step_format(phase);
  told_caching_ = false;
}

void PreparedRun::prepare_rows(std::size_t phase) {
  const auto known = kept_.find(phase);
  const auto decided = [&](KeepPlan KeptRows::*set) {
    return known == kept_.end() ? std::nullopt : std::optional(known->second.*set);
  };
  train.prepare(network.backbone(), row_uses(phase), decided(&KeptRows::train));
  val.prepare(network.backbone(), row_uses(phase), decided(&KeptRows::val));
  kept_[phase] = {train.kept(), val.kept()};
  phase_ = phase;
}

void PreparedRun::choose_step_format(std::size_t phase) {
  if (const auto known = formats_.find(phase); known != formats_.end()) return network.compute_in(known->second);
  const StepTrial trial = find_step_format(phase);
  formats_[phase] = trial.format;
  message_(c10::str("layers that train: ", to_string(trial.format), ", cosine to the plain way ", trial.error.cosine));
}

StepTrial PreparedRun::find_step_format(std::size_t phase) {
  const auto images = static_cast<std::int64_t>(train.samples().size());
  const std::int64_t steps = images / recipe_.batch_size * recipe_.phases[phase].epochs;
  const bool timed = network.device().is_cpu() && steps >= kStepsWorthTiming;
  const Json question{{"layers that train", sha256_file(recipe_.backbone)},
                      {"selection", recipe_.phases[phase].train},
                      {"input", to_json(recipe_.input)},
                      {"batch_size", recipe_.batch_size},
                      {"precision", recipe_.precision},
                      {"workers", thread_count()}};
  StepSearch search{.bfloat16 = recipe_.precision == "auto", .timed_rows = timed ? recipe_.batch_size : 0};
  if (const auto plan = verdicts_.find(question)) search.known = step_format(plan->kind);
  const at::Tensor rows = example_rows(network.backbone(), network.boundary(), val.samples(), recipe_.input);
  const StepTrial trial = graft::choose_step_format(network, rows, search);
  if (trial.rows_per_second > 0)
    verdicts_.keep(
        question,
        {{.plan = {.kind = to_string(trial.format)}, .error = trial.error, .rows_per_second = trial.rows_per_second}});
  return trial;
}

Json PreparedRun::ways() const {
  Json formats = Json::object(), kept = Json::object();
  for (const auto& [phase, rows] : kept_)
    kept[std::to_string(phase)] = {{"train", to_json(rows.train)}, {"val", to_json(rows.val)}};
  for (const auto& [phase, format] : formats_) formats[std::to_string(phase)] = to_string(format);
  return {{"train", engines.plans()},
          {"val", val_engines ? val_engines->plans() : Json::array()},
          {"steps", std::move(formats)},
          {"kept", std::move(kept)}};
}

void PreparedRun::use_ways(const Json& ways) {
  engines.use_plans(ways.at("train"));
  if (val_engines) val_engines->use_plans(ways.at("val"));
  for (const auto& [phase, name] : ways.at("steps").items())
    formats_[std::stoul(phase)] = step_format(name.get<std::string>());
  for (const auto& [phase, rows] : ways.at("kept").items())
    kept_[std::stoul(phase)] = {read_keep_plan(rows.at("train")), read_keep_plan(rows.at("val"))};
}

void PreparedRun::start_head(const std::vector<std::int64_t>& images,
                             const std::function<void(std::size_t done, std::size_t total)>& progress,
                             const std::stop_token& stop) {
  if (!starts_from_data(recipe_.head)) return;
  const at::NoGradGuard no_grad;
  network.eval();
  const auto start = [&](at::Tensor activations, const auto&) {
    start_from_data(network.head(), recipe_.head, head_seed(recipe_), network.features(std::move(activations)));
  };
  train.for_each_batch({images}, 0, start, progress, stop);
}

void PreparedRun::end_phase() {
  train.trained_above(network.boundary());
  val.trained_above(network.boundary());
  engines.trained_above(network.boundary());
  if (val_engines) val_engines->trained_above(network.boundary());
}

bool PreparedRun::keeps_val_features() const {
  const bool float32 =
      network.device().is_cpu() && (val_engines || recipe_.precision == "fp32" || !has_fast_bfloat16());
  const auto trains_backbone = [](const TrainSelection& selection) { return !selection.backbone.empty(); };
  return float32 && val.kept().in_memory && std::ranges::none_of(selections, trains_backbone);
}

at::Tensor PreparedRun::val_features(const FrozenProgress& progress, const std::stop_token& stop) {
  const std::size_t last = selections.size() - 1;
  if (phase_ != last) prepare_rows(last);  // of a run that goes on with its export
  if (!keeps_val_features()) return {};
  std::vector<at::Tensor> rows;
  val.for_each_batch(
      batches_in_order(val.samples().size(), recipe_.batch_size), 0,
      [&](at::Tensor batch, const auto&) { rows.push_back(std::move(batch)); }, progress, stop);
  return stop.stop_requested() ? at::Tensor() : at::cat(rows);
}

std::string PreparedRun::plan_text() const {
  if (!train.keeps())
    return c10::str("frozen layers run anew every epoch", val.keeps() ? ", on validation photos once" : "");
  const bool whole = train.kept().boundary == network.boundary();
  return c10::str("frozen layers run once", recipe_.augment.empty() ? "" : " a view",
                  whole ? "" : ", those behind " + kept_at() + " anew every epoch",
                  train.kept().on_disk ? ", kept for later runs too" : "");
}

std::string PreparedRun::kept_at() const {
  if (!train.keeps()) return "";
  const auto name = [&](std::size_t boundary) { return network.backbone().boundary_name(boundary); };
  const KeepPlan& kept = train.kept();
  return kept.shared == kept.boundary ? name(kept.boundary) : name(kept.shared) + " and " + name(kept.boundary);
}

std::string PreparedRun::caching_text(double seconds) {
  if (!train.keeps() || std::exchange(told_caching_, true)) return "";
  const auto measured = [](const FrozenActivations& set, const FrozenActivations& other) {
    ImagesCost cost = set.measured().value_or(ImagesCost{.images = std::ssize(set.samples())});
    if (cost.frozen_s == 0) cost.frozen_s = other.measured().value_or(ImagesCost{}).frozen_s;
    return cost;
  };
  PhaseCost cost;
  cost.kept_at = kept_at();
  cost.epochs = recipe_.phases[*phase_].epochs;
  cost.bytes = train.kept().bytes + val.kept().bytes;
  cost.train = measured(train, val);
  cost.val = measured(val, train);
  cost.training_s = static_cast<double>(cost.epochs) * seconds;
  return graft::caching_text(cost);
}

}  // namespace graft
