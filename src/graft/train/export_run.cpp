#include "graft/train/export_run.h"

#include "graft/core/files.h"
#include "graft/train/stopwatch.h"

namespace graft {
namespace {

Json timing_json(const Progress& progress, double export_seconds) {
  double epochs = 0;
  for (const auto& record : progress.history) epochs += record.at("seconds").get<double>();
  return {{"total_s", progress.seconds + export_seconds},
          {"features_s", progress.feature_seconds},
          {"epochs_s", epochs},
          {"export_s", export_seconds}};
}

}  // namespace

Json export_run(const ModelSource& best, const Progress& progress, std::int64_t trained_parameters,
                const RunFolder& folder, const std::function<void(const std::string&)>& message) {
  const Stopwatch watch;
  const ExportedModel exported = export_model(best, folder.model(), message);
  folder.write_predictions(best.dataset, exported.val_probabilities);
  Json metrics;
  metrics["best"] = {{"phase", best.recipe.phases[progress.best.phase].name}, {"epoch", progress.best.epoch + 1}};
  metrics["best"].update(exported.metrics);
  metrics["last"] = progress.history.back();
  metrics["images"] = exported.images;
  metrics["images"]["skipped"] = best.dataset.skipped.size();
  metrics["timing"] = timing_json(progress, watch.seconds());
  const std::int64_t total = best.network.trained_parameters() + best.network.frozen_parameters();
  metrics["parameters"] = {{"total", total}, {"trained", trained_parameters}};
  metrics["diagnosis"] = progress.diagnosis;
  replace_file(folder.metrics(), metrics.dump(2) + "\n");
  return metrics;
}

}  // namespace graft
