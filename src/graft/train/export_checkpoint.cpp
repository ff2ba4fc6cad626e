#include "graft/train/export_checkpoint.h"

#include "graft/core/error.h"
#include "graft/core/runtime.h"
#include "graft/head/build_head.h"
#include "graft/train/export_model.h"
#include "graft/train/stored_run.h"
#include "graft/train/task.h"

namespace graft {
namespace {

/// Phase and epoch, from 1, of the state that is exported.
Json place_of(const StoredRun& run, bool best) {
  const Progress& progress = run.progress;
  const auto named = [&](std::size_t phase, std::int64_t epoch) {
    return Json{{"phase", run.spec.recipe.phases[phase].name}, {"epoch", epoch + 1}};
  };
  if (best) return named(progress.best.phase, progress.best.epoch);
  if (progress.step > 0) return named(progress.phase, progress.epoch);
  const Json& last = progress.history.back();
  return {{"phase", last.at("phase")}, {"epoch", last.at("epoch")}};
}

/// Of the last step: the weights themselves, or their running mean.
std::map<std::string, at::Tensor> last_tensors(const RunFolder& folder, const StoredRun& run,
                                               const std::string& checkpoint) {
  auto tensors = run.last.under(checkpoint == "average" ? "average" : "network");
  if (tensors.empty())
    throw Error({"run '" + folder.path().string() + "'", "has no averaged weights",
                 "a last phase with \"average\": {\"ema\": {}}", "--checkpoint best or last"});
  return tensors;
}

Network network_of(const StoredRun& run, const Dataset& dataset) {
  const Recipe& recipe = run.spec.recipe;
  Backbone backbone = Backbone::load(recipe.backbone, recipe.backbone_options(run.spec.environment.trust));
  auto head = build_head(recipe.head, backbone.num_features(), head_outputs(dataset), 0);
  return Network(std::move(backbone), std::move(head), c10::kCPU);
}

}  // namespace

const std::vector<std::string>& checkpoint_names() {
  static const std::vector<std::string> kNames{"best", "last", "average"};
  return kNames;
}

Json export_checkpoint(const RunFolder& folder, const std::filesystem::path& file, const CheckpointChoice& choice,
                       Observer& observer) {
  if (std::filesystem::exists(file))
    throw Error({"'" + file.string() + "'", "is there already", "the name of a new file", "choose another with -o"});
  const StoredRun run = read_stored_run(folder, {.trust = choice.trust});
  if (run.progress.history.empty())
    throw Error({"run '" + folder.path().string() + "'", "has not finished an epoch yet", "a trained network",
                 "go on with it: graft train --resume " + folder.path().string()});
  set_thread_count(run.spec.recipe.threads);
  check_backbone_file(run.spec.recipe);
  const Dataset dataset = load_run_data(run.spec, [&](const SkippedImage& image) { observer.on_skipped_image(image); });
  check_same_data(run, dataset);
  const bool best = choice.checkpoint == "best";
  const auto tensors = best ? best_tensors(folder, run) : last_tensors(folder, run, choice.checkpoint);
  Network network = network_of(run, dataset);
  const auto exported = export_model(
      {run.spec.recipe, run.spec.backbone_facts, dataset, tensors, network, choice.precision, choice.trust}, file,
      [&](const std::string& text) { observer.on_message(text); });
  Json answer{{"checkpoint", choice.checkpoint}, {"precision", choice.precision}};
  answer.update(place_of(run, best));
  answer["metrics"] = exported.metrics;
  return answer;
}

}  // namespace graft
