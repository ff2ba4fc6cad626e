#include "graft/train/weight_average.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "graft/core/option_table.h"
#include "graft/train/network.h"

namespace graft {
namespace {

struct AverageRow {
  std::string name;
  Json (*read_options)(JsonReader& reader);
  /// The part of the mean that stays at a step.
  double (*decay)(const Json& options, std::int64_t step, std::int64_t steps_per_epoch);
  bool of_statistics;  ///< whether running statistics are averaged as the weights are
};

Json ema_options(JsonReader& reader) {
  const double decay = reader.number("decay", 0.9999, {.low = 0, .high = 1, .high_open = true});
  return {{"decay", decay}, {"warmup", reader.boolean("warmup", false)}};
}

/// The first step is taken whole; a warm-up lets the first ones weigh more.
double ema_decay(const Json& options, std::int64_t step, std::int64_t /*steps_per_epoch*/) {
  const double decay = options.at("decay").get<double>();
  if (step <= 1) return 0;
  return options.at("warmup") == true ? std::min(decay, 1 - std::pow(static_cast<double>(step), -2.0 / 3)) : decay;
}

Json swa_options(JsonReader& reader) {
  if (!reader.has("start")) reader.problem("start", "is missing", "the epoch from which on the weights are averaged");
  return {{"start", reader.integer("start", 1, Range::between(1, 100000))}};
}

/// Up to the end of epoch `start` the mean is what trains; from there each epoch's end counts the same.
double swa_decay(const Json& options, std::int64_t step, std::int64_t steps_per_epoch) {
  if (step % steps_per_epoch != 0) return 1;
  const std::int64_t taken = step / steps_per_epoch - options.at("start").get<std::int64_t>();
  return taken <= 0 ? 0 : 1 - 1 / static_cast<double>(taken + 1);
}

const OptionTable<AverageRow>& average_table() {
  static const OptionTable<AverageRow> kTable({{"none", no_options, nullptr, true},
                                               {"ema", ema_options, ema_decay, true},
                                               {"swa", swa_options, swa_decay, false}});
  return kTable;
}

}  // namespace

const std::vector<std::string>& average_names() { return average_table().names(); }

AverageSpec read_average_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  return average_table().read<AverageSpec>(value, path, problems);
}

Json to_json(const AverageSpec& spec) { return Json{{spec.name, average_table().complete(spec)}}; }

std::int64_t AverageSpec::start() const { return average_table().complete(*this).value("start", std::int64_t{1}); }

bool AverageSpec::lacks_statistics(std::int64_t epoch) const {
  return !average_table().at(name).of_statistics && epoch > start();
}

WeightAverage::WeightAverage(const AverageSpec& spec, Tensors tensors, std::int64_t steps_per_epoch)
    : decay_(average_table().at(spec.name).decay),
      options_(average_table().complete(spec)),
      steps_per_epoch_(steps_per_epoch),
      training_(std::move(tensors)) {
  TORCH_CHECK(decay_ != nullptr, spec.name, " averages nothing");
  for (const auto& [name, tensor] : training_) mean_[name] = tensor.detach().clone();
}

void WeightAverage::restore(const Tensors& mean) {
  if (!mean.empty()) restore_tensors(mean_, mean, "checkpoint's averaged weights");
}

void WeightAverage::update(std::int64_t step) {
  const at::NoGradGuard no_grad;
  const double decay = decay_(options_, step, steps_per_epoch_);
  if (decay == 1) return;
  for (auto& [name, mean] : mean_) {
    const at::Tensor now = training_.at(name).detach();
    mean.is_floating_point() ? mean.lerp_(now, 1 - decay) : mean.copy_(now);
  }
}

void WeightAverage::exchange() {
  const at::NoGradGuard no_grad;
  for (auto& [name, mean] : mean_) {
    const at::Tensor training = training_.at(name).detach().clone();
    training_.at(name).copy_(mean);
    mean.copy_(training);
  }
}

}  // namespace graft
