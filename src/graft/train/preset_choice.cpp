#include "graft/train/preset_choice.h"

#include <torch/types.h>

#include <algorithm>

#include "graft/backbone/frozen_engine.h"
#include "graft/core/runtime.h"
#include "graft/core/short_count.h"
#include "graft/data/activations.h"
#include "graft/train/evaluate.h"
#include "graft/train/ridge.h"
#include "graft/train/stored_run.h"

namespace graft {
namespace {

constexpr std::size_t kLook = 400;

/// float [N, F], each feature with a mean of 0 and a deviation of 1.
at::Tensor standardised_features(const RunSpec& spec, const Samples& samples) {
  constexpr std::int64_t kBatch = 8;
  const InputSpec& input = spec.recipe.input;
  const auto backbone = Backbone::load(spec.recipe.backbone, spec.recipe.backbone_options(spec.environment.trust));
  const FrozenEngine engine(backbone, 0, backbone.last_boundary(), {}, at::zeros({kBatch, 3, input.size, input.size}));
  std::vector<at::Tensor> rows;
  stream_activations(
      {samples, input, {}, kBatch, thread_count()}, batches_in_order(samples.size(), kBatch),
      [](const Sample&) { return std::uint64_t{0}; }, [&](const at::Tensor& images) { return engine(images); },
      [&](std::size_t, at::Tensor features) { rows.push_back(std::move(features)); });
  const at::Tensor features = at::cat(rows).to(at::kDouble);
  return (features - features.mean(0)) / (features.std(0, /*unbiased=*/false) + 1e-6);
}

}  // namespace

std::optional<PresetChoice> preset_by_size(std::int64_t images) {
  constexpr std::int64_t kTiny = 100, kLarge = 100000;
  if (images < kTiny) return PresetChoice{"tiny", c10::str(images, " training photos, fewer than ", kTiny)};
  if (images > kLarge) return PresetChoice{"large", c10::str(images, " training photos, more than ", kLarge)};
  return std::nullopt;
}

PresetChoice preset_by_facts(const PresetFacts& facts) {
  constexpr double kNear = 0.95, kFar = 0.6;
  constexpr std::int64_t kFew = 500;
  const double skill = (facts.accuracy - facts.chance) / std::max(1 - facts.chance, 1e-9);
  const std::string seen = c10::str(facts.images, " training photos; a linear look at the backbone's features of ",
                                    facts.looked_at, " is right for ", whole_percent(facts.accuracy),
                                    ", the commonest class for ", whole_percent(facts.chance), ": ");
  if (skill >= kNear) return {"probe", seen + "the features tell the classes apart"};
  if (facts.images < kFew) return {"linear", seen + "too few photos to train layers below the head"};
  if (skill >= kFar) return {"finetune", seen + "the last stages have something to learn"};
  return {"gradual", seen + "the photos lie far from what the backbone knows"};
}

double linear_look(const RunSpec& spec, const Samples& samples) {
  const at::Tensor features = standardised_features(spec, samples), targets = labels_of(samples);
  const at::Tensor scores = leave_one_out_scores(features, targets, static_cast<double>(features.size(1)));
  return scores.argmax(1).eq(targets).to(at::kDouble).mean().item<double>();
}

PresetChoice choose_preset(const RunSpec& spec) {
  set_thread_count(spec.recipe.threads);
  const Dataset dataset = load_run_data(spec, {});
  const auto train = dataset.of(Split::kTrain);
  if (auto choice = preset_by_size(std::ssize(train))) return *choice;
  if (spec.recipe.task != Task::kSingleLabel)
    return {"probe", c10::str(train.size(), " training photos; features are looked at for task single_label alone")};
  const auto samples = some_of(train, kLook);
  const auto counts = dataset.class_counts(Split::kTrain);
  const auto most = static_cast<double>(*std::ranges::max_element(counts));
  return preset_by_facts({.images = std::ssize(train),
                          .looked_at = std::ssize(samples),
                          .accuracy = linear_look(spec, samples),
                          .chance = most / static_cast<double>(train.size())});
}

}  // namespace graft
