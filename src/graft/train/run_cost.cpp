#include "graft/train/run_cost.h"

#include <cmath>
#include <iomanip>
#include <numeric>
#include <sstream>

namespace graft {
namespace {

template <typename Seconds>
double sum_over(const std::vector<PhaseCost>& phases, const Seconds& seconds) {
  return std::accumulate(phases.begin(), phases.end(), 0.0,
                         [&](double sum, const PhaseCost& phase) { return sum + seconds(phase); });
}

struct TimeUnit {
  const char* name;
  double seconds;
};

/// The largest of which there are two.
TimeUnit unit_for(double seconds) {
  if (seconds >= 7200) return {" h", 3600};
  return seconds >= 120 ? TimeUnit{" min", 60} : TimeUnit{" s", 1};
}

Json to_json(const PhaseCost& phase) {
  return {{"phase", phase.name},
          {"boundary", phase.boundary},
          {"epochs", phase.epochs},
          {"images", {{"train", phase.train.images}, {"val", phase.val.images}}},
          {"views", phase.train.views},
          {"kept_at", phase.kept_at},
          {"bytes", phase.bytes},
          {"rows_to_compute", phase.train.from_images + phase.val.from_images},
          {"decoding_s", phase.decoding()},
          {"engines_s", phase.engines_s},
          {"frozen_s", phase.layers()},
          {"training_s", phase.training_s},
          {"validation_s", phase.validation_s},
          {"saving_s", phase.saving_s},
          {"total_s", phase.total()},
          {"without_keeping_s", phase.without_keeping()}};
}

}  // namespace

double ImagesCost::layers() const {
  return static_cast<double>(from_images) * frozen_s + static_cast<double>(from_shared) * above_s;
}

double ImagesCost::anew(std::int64_t epochs) const {
  return static_cast<double>(images * epochs) * (decode_s + frozen_s + above_s);
}

double PhaseCost::without_keeping() const {
  return total() - decoding() - layers() + engines_s + train.anew(epochs) + val.anew(epochs);
}

double RunCost::total() const {
  return start_s + sum_over(phases, [](const PhaseCost& phase) { return phase.total(); }) + export_s;
}

double RunCost::without_keeping() const {
  return start_s + sum_over(phases, [](const PhaseCost& phase) { return phase.without_keeping(); }) + export_s;
}

Json to_json(const RunCost& cost) {
  Json phases = Json::array();
  for (const auto& phase : cost.phases) phases.push_back(to_json(phase));
  const auto features = [](const PhaseCost& phase) { return phase.decoding() + phase.layers(); };
  const auto epochs = [](const PhaseCost& phase) { return phase.total() - phase.saving_s; };
  return {{"start_s", cost.start_s},
          {"phases", std::move(phases)},
          {"features_s", sum_over(cost.phases, features)},
          {"epochs_s", sum_over(cost.phases, epochs)},
          {"export_s", cost.export_s},
          {"total_s", cost.total()},
          {"without_keeping_s", cost.without_keeping()}};
}

std::string caching_text(const PhaseCost& phase) {
  std::ostringstream text;
  text << "caching at " << phase.kept_at << ": " << phase.megabytes() << " MB";
  const double whole = phase.without_keeping(), saved = whole - phase.total();
  const auto [unit, seconds] = unit_for(whole);
  if (phase.train.computed() + phase.val.computed() == 0) return std::move(text).str() + ", all known before";
  if (saved <= 0) return std::move(text).str() + ", saves nothing in this run";
  const bool by_tenths = whole / seconds < 10 || std::lround(saved / seconds) == std::lround(whole / seconds);
  text << std::fixed << std::setprecision(by_tenths ? 1 : 0) << ", saves " << saved / seconds << unit << " of "
       << whole / seconds;
  return std::move(text).str();
}

}  // namespace graft
