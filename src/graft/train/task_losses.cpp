#include <ATen/ATen.h>

#include <limits>

#include "graft/train/loss_rows.h"

namespace graft {
namespace {

at::Tensor as_logits(const at::Tensor& targets, const at::Tensor& logits) { return targets.to(logits.options()); }

// ---- any number of classes: targets [N, C], 1 or 0 ----

Json bce_options(JsonReader& reader) {
  return {{"pos_weight",
           reader.one_of("pos_weight", 1.0, {{JsonForm::number(Range::above(0)), JsonForm::word("balanced")}})}};
}

/// Of each class: images that are not of it for one that is.
at::Tensor balanced(const TrainingCounts& counts) {
  TORCH_CHECK(!counts.classes.empty(), "\"balanced\" needs to know how many images each class has");
  const at::Tensor positive = at::tensor(counts.classes, at::kDouble).clamp_min(1);
  return (static_cast<double>(counts.images) - positive) / positive;
}

/// torch.nn.functional.binary_cross_entropy_with_logits, the mean over the classes.
Loss bce(const Json& options, const TrainingCounts& counts) {
  const Json& given = options.at("pos_weight");
  const at::Tensor weight = given == "balanced" ? balanced(counts) : at::full({1}, given.get<double>(), at::kDouble);
  return [weight](const at::Tensor& logits, const at::Tensor& targets, const LossWeights& weights) {
    const at::Tensor wide = widened(logits);
    const at::Tensor each = at::binary_cross_entropy_with_logits(wide, as_logits(targets, wide), {},
                                                                 weight.to(wide.options()), at::Reduction::None);
    return weighted_mean(each.mean(1), targets, weights);
  };
}

Json asymmetric_multi_label_options(JsonReader& reader) {
  const double gamma_neg = reader.number("gamma_neg", 4, Range::at_least(0));
  const double gamma_pos = reader.number("gamma_pos", 1, Range::at_least(0));
  const double clip = reader.number("clip", 0.05, {.low = 0, .high = 1, .high_open = true});
  return {{"gamma_neg", gamma_neg},
          {"gamma_pos", gamma_pos},
          {"clip", clip},
          {"eps", reader.number("eps", 1e-8, {.low = 0, .high = 1, .low_open = true, .high_open = true})}};
}

/// Ridnik et al. 2021 in timm's form, the sum over the classes: focal, with a power of its own for the classes that an
/// image is not of, whose probabilities up to `clip` count as none.
Loss asymmetric_multi_label(const Json& options, const TrainingCounts&) {
  const auto option = [&](const char* name) { return options.at(name).get<double>(); };
  return [negative = option("gamma_neg"), positive = option("gamma_pos"), clip = option("clip"), eps = option("eps")](
             const at::Tensor& logits, const at::Tensor& targets, const LossWeights& weights) {
    const at::Tensor wide = widened(logits), is = as_logits(targets, wide);
    // 1 - p is sigmoid(-x): written as a difference it would lose its digits.
    const at::Tensor p = at::sigmoid(wide), rest = (at::sigmoid(-wide) + clip).clamp_max(1);
    const at::Tensor wrong_positive = at::sigmoid(-wide), wrong_negative = (p - clip).clamp_min(0);
    const auto focus = [](const at::Tensor& wrong, double gamma) {
      return wrong.clamp_min(std::numeric_limits<float>::min()).pow(gamma);
    };
    const at::Tensor of_positive = is * p.clamp_min(eps).log() * focus(wrong_positive, positive);
    const at::Tensor of_negative = (1 - is) * rest.clamp_min(eps).log() * focus(wrong_negative, negative);
    return weighted_mean(-(of_positive + of_negative).sum(1), targets, weights);
  };
}

// ---- numbers: targets [N, C]; the mean over the outputs ----

using Distance = at::Tensor (*)(const at::Tensor& found, const at::Tensor& targets, double bend);

template <Distance distance>
Loss of_numbers(const Json& options, const TrainingCounts&) {
  return [bend = options.empty() ? 0 : options.begin()->get<double>()](
             const at::Tensor& found, const at::Tensor& targets, const LossWeights& weights) {
    const at::Tensor wide = widened(found);
    return weighted_mean(distance(wide, as_logits(targets, wide), bend).mean(1), targets, weights);
  };
}

at::Tensor squared(const at::Tensor& found, const at::Tensor& targets, double) {
  return at::mse_loss(found, targets, at::Reduction::None);
}
at::Tensor absolute(const at::Tensor& found, const at::Tensor& targets, double) {
  return at::l1_loss(found, targets, at::Reduction::None);
}
at::Tensor huber(const at::Tensor& found, const at::Tensor& targets, double delta) {
  return at::huber_loss(found, targets, at::Reduction::None, delta);
}
at::Tensor smooth_l1(const at::Tensor& found, const at::Tensor& targets, double beta) {
  return at::smooth_l1_loss(found, targets, at::Reduction::None, beta);
}

Json huber_options(JsonReader& reader) { return {{"delta", reader.number("delta", 1, Range::above(0))}}; }
Json smooth_l1_options(JsonReader& reader) { return {{"beta", reader.number("beta", 1, Range::at_least(0))}}; }

// ---- classes in an order: logits [N, C - 1], targets [N] int64 ----

/// Cao et al. 2020: one binary cross-entropy for each class but the last, whether an image's lies above it; their sum.
Loss coral(const Json&, const TrainingCounts&) {
  return [](const at::Tensor& logits, const at::Tensor& targets, const LossWeights& weights) {
    const at::Tensor wide = widened(logits);
    const at::Tensor places = at::arange(wide.size(1), targets.options());
    const at::Tensor above = as_logits(targets.unsqueeze(1) > places, wide);
    const at::Tensor each = at::binary_cross_entropy_with_logits(wide, above, {}, {}, at::Reduction::None);
    return weighted_mean(each.sum(1), targets, weights);
  };
}

}  // namespace

LossRow bce_loss() { return {"bce", bce_options, bce, Task::kMultiLabel}; }
LossRow asymmetric_multi_label_loss() {
  return {"asymmetric_multi_label", asymmetric_multi_label_options, asymmetric_multi_label, Task::kMultiLabel};
}
LossRow mse_loss() { return {"mse", no_options, of_numbers<squared>, Task::kRegression}; }
LossRow l1_loss() { return {"l1", no_options, of_numbers<absolute>, Task::kRegression}; }
LossRow huber_loss() { return {"huber", huber_options, of_numbers<huber>, Task::kRegression}; }
LossRow smooth_l1_loss() { return {"smooth_l1", smooth_l1_options, of_numbers<smooth_l1>, Task::kRegression}; }
LossRow coral_loss() { return {"coral", no_options, coral, Task::kOrdinal}; }

}  // namespace graft
