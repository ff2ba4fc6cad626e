#include "graft/train/stored_run.h"

#include "graft/core/error.h"
#include "graft/core/hash.h"
#include "graft/core/runtime.h"
#include "graft/data/labels.h"

namespace graft {

StoredRun read_stored_run(const RunFolder& folder, RunEnvironment environment) {
  if (!std::filesystem::exists(folder.last_checkpoint()))
    throw Error({"run '" + folder.path().string() + "'", "holds no checkpoint/last.pt", "the folder of a run", ""});
  StoredRun run;
  run.last = load_checkpoint(folder.last_checkpoint());
  run.progress = read_progress(run.last.state.at("progress"));
  run.spec.folder = folder.path();
  run.spec.environment = std::move(environment);
  run.spec.recipe = read_recipe(run.last.state.at("recipe"), folder.path());
  run.spec.recipe.threads = run.last.state.at("threads").get<int>();
  run.spec.data = (folder.path() / run.last.state.at("data").get<std::string>()).lexically_normal();
  run.spec.backbone_facts = run.last.state.at("backbone_facts");
  return run;
}

Dataset load_run_data(const RunSpec& spec, const std::function<void(const SkippedImage&)>& on_skipped,
                      const std::function<void(const std::string&)>& on_message) {
  const auto indexes = spec.recipe.activations == "off" ? std::filesystem::path() : spec.environment.image_indexes;
  Dataset dataset = load_dataset(spec.data, {spec.recipe.val,
                                             spec.recipe.on_bad_image,
                                             thread_count(),
                                             on_skipped,
                                             indexes,
                                             on_message,
                                             {spec.recipe.task, spec.recipe.classes}});
  if (dataset.of(Split::kTrain).size() < 2)
    throw Error({"data '" + spec.data.string() + "'", "has fewer than two training images", "at least two", ""});
  return dataset;
}

void check_same_data(const StoredRun& run, const Dataset& dataset) {
  if (run.last.state.at("data_sha256").get<std::string>() != digest_of(dataset))
    throw Error({"data '" + run.spec.data.string() + "'", "has changed since the run was started",
                 "the same images, labels and split", "start a new run"});
}

void check_backbone_file(const Recipe& recipe) {
  if (recipe.backbone_sha256.empty()) return;
  const std::string found = sha256_file(recipe.backbone);
  if (found != recipe.backbone_sha256)
    throw Error({"backbone '" + recipe.backbone.string() + "'", "has SHA-256 " + found,
                 recipe.backbone_sha256 + ", as the recipe says", "another file, or a damaged one"});
}

std::string digest_of(const Dataset& dataset) {
  Sha256 hash;
  for (const auto& sample : dataset.samples)
    hash.update(sample.hash.hex() + " " + label_text(dataset, sample) + " " + to_string(*sample.split) + "\n");
  return hash.hex();
}

void save_best(const std::filesystem::path& file, const Progress& progress,
               const std::map<std::string, at::Tensor>& best) {
  Checkpoint checkpoint;
  checkpoint.state = {{"best", to_json(progress.best)}};
  checkpoint.put("network", best);
  save_checkpoint(file, checkpoint);
}

std::map<std::string, at::Tensor> best_tensors(const RunFolder& folder, const StoredRun& run) {
  if (!run.progress.best.known) return {};
  for (const auto& file : {folder.best_checkpoint(), folder.next_best_checkpoint()}) {
    if (!std::filesystem::exists(file)) continue;
    const Checkpoint best = load_checkpoint(file);
    if (best.state.value("best", Json()) == to_json(run.progress.best)) return best.under("network");
  }
  throw Error({"checkpoint '" + folder.best_checkpoint().string() + "'",
               "does not hold the best epoch that last.pt speaks of", "both files of one run",
               "was one of them replaced?"});
}

}  // namespace graft
