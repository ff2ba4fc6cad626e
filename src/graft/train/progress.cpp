#include "graft/train/progress.h"

#include "graft/train/metrics.h"

namespace graft {
namespace {

Best read_best(const Json& json) {
  return {json.at("known").get<bool>(), json.at("value").get<double>(), json.at("phase").get<std::size_t>(),
          json.at("epoch").get<std::int64_t>()};
}

}  // namespace

Json to_json(const Best& best) {
  return {{"known", best.known}, {"value", best.value}, {"phase", best.phase}, {"epoch", best.epoch}};
}

bool is_better(const std::string& metric, double value, double than) {
  return less_is_better(metric) ? value < than : value > than;
}

std::vector<double> values_of(const Json& history, const std::string& phase, const std::string& metric) {
  std::vector<double> values;
  for (const auto& record : history)
    if (record.at("phase") == phase) values.push_back(record.at("val_" + metric).get<double>());
  return values;
}

void Progress::start_epoch(std::int64_t next) {
  epoch = next;
  step = 0;
  loss_sum = 0;
  loss_images = 0;
  epoch_seconds = 0;
}

void Progress::start_phase(std::size_t next) {
  phase = next;
  start_epoch(0);
  phase_best = {};
  epochs_without_better = 0;
}

Json to_json(const Progress& progress) {
  return {{"phase", progress.phase},
          {"epoch", progress.epoch},
          {"step", progress.step},
          {"loss_sum", progress.loss_sum},
          {"loss_images", progress.loss_images},
          {"epoch_seconds", progress.epoch_seconds},
          {"seconds", progress.seconds},
          {"feature_seconds", progress.feature_seconds},
          {"best", to_json(progress.best)},
          {"phase_best", to_json(progress.phase_best)},
          {"epochs_without_better", progress.epochs_without_better},
          {"history", progress.history},
          {"diagnosis", progress.diagnosis}};
}

Progress read_progress(const Json& json) {
  Progress progress;
  progress.phase = json.at("phase").get<std::size_t>();
  progress.epoch = json.at("epoch").get<std::int64_t>();
  progress.step = json.at("step").get<std::int64_t>();
  progress.loss_sum = json.at("loss_sum").get<double>();
  progress.loss_images = json.at("loss_images").get<std::int64_t>();
  progress.epoch_seconds = json.at("epoch_seconds").get<double>();
  progress.seconds = json.at("seconds").get<double>();
  progress.feature_seconds = json.at("feature_seconds").get<double>();
  progress.best = read_best(json.at("best"));
  progress.phase_best = read_best(json.at("phase_best"));
  progress.epochs_without_better = json.at("epochs_without_better").get<std::int64_t>();
  progress.history = json.at("history");
  progress.diagnosis = json.value("diagnosis", Json::object());  // checkpoints of earlier versions have none
  return progress;
}

}  // namespace graft
