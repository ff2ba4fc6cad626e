#include "graft/train/prepared_run.h"

#include <algorithm>

#include "graft/core/error.h"
#include "graft/core/random.h"
#include "graft/core/runtime.h"
#include "graft/head/build_head.h"
#include "graft/optim/schedule.h"
#include "graft/train/full_batch.h"
#include "graft/train/stored_run.h"
#include "graft/train/task.h"

namespace graft {
namespace {

Network make_network(const RunSpec& spec, const Dataset& dataset, c10::Device device,
                     const PreparedRun::Listener& listener) {
  const Recipe& recipe = spec.recipe;
  Backbone backbone = Backbone::load(recipe.backbone, recipe.backbone_options(spec.environment.trust));
  listener.message(backbone.summary());
  for (const auto& note : backbone.notes()) listener.message("note: " + note);
  auto head = build_head(recipe.head, backbone.num_features(), head_outputs(dataset),
                         derive_seed(recipe.seed, "initialisation"), dataset.class_counts(Split::kTrain));
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

ImageSource source_of(const Recipe& recipe, std::vector<Sample> samples, const Augmentation& augmentation) {
  return {std::move(samples), recipe.input, augmentation, recipe.batch_size, thread_count()};
}

FrozenActivations::Options activation_options(const RunSpec& spec, std::size_t memory,
                                              const PreparedRun::Listener& listener) {
  const Recipe& recipe = spec.recipe;
  return {.keep = recipe.activations,
          .views = static_cast<std::uint64_t>(recipe.views),
          .seed = recipe.seed,
          .memory = memory,
          .stores = spec.environment.stores,
          .precision = recipe.precision,
          .message = listener.message};
}

}  // namespace

PreparedRun::PreparedRun(const RunSpec& spec, c10::Device device, std::size_t memory_given, const Listener& listener)
    : dataset(load_run_data(spec, listener.skipped_image, listener.message)),
      answer(answer_module(dataset)),
      network(make_network(spec, dataset, device, listener)),
      selections(select_all(spec.recipe, network)),
      memory(memory_given > 0 ? memory_given : available_memory() / 2),
      engines({spec.recipe.input, spec.recipe.precision == "auto", thread_count(), spec.environment.engine_probe,
               listener.message}),
      train(source_of(spec.recipe, dataset.of(Split::kTrain), spec.recipe.augment),
            activation_options(spec, memory, listener), engines),
      val(source_of(spec.recipe, dataset.of(Split::kVal), {}), activation_options(spec, memory, listener), engines),
      recipe_(spec.recipe) {}

std::map<std::string, at::Tensor> PreparedRun::tensors() const {
  const bool statistics_move = std::ranges::any_of(
      recipe_.phases, [](const Phase& phase) { return phase.batch_norm == BatchNormStatistics::kUpdate; });
  return network.tensors(selections, statistics_move);
}

std::size_t PreparedRun::shared_boundary(std::size_t phase) const {
  std::size_t shared = network.boundary();
  for (std::size_t i = phase; i < selections.size(); ++i)
    shared = std::min(shared, network.backbone().boundary_below(selections[i].backbone));
  return shared;
}

void PreparedRun::begin_phase(std::size_t phase) {
  const Phase& begun = recipe_.phases[phase];
  network.select(selections[phase], begun.batch_norm);
  for (FrozenActivations* activations : {&train, &val})
    activations->prepare(network.backbone(), network.boundary(), shared_boundary(phase), begun.epochs);
}

void PreparedRun::end_phase() {
  train.trained_above(network.boundary());
  val.trained_above(network.boundary());
  engines.trained_above(network.boundary());
}

std::string PreparedRun::plan_text() const {
  if (!train.keeps()) return "frozen layers run anew every epoch";
  return c10::str("frozen layers run once", recipe_.augment.empty() ? "" : " a view", ", ",
                  (train.planned_bytes() + val.planned_bytes() + 524288) / 1048576, " MB kept",
                  train.on_disk() ? " for later runs too" : "");
}

}  // namespace graft
