#include "graft/train/loss.h"

#include <ATen/ATen.h>

#include <limits>

#include "graft/train/loss_rows.h"

namespace graft {
namespace {

using Counts = TrainingCounts;

Json cross_entropy_options(JsonReader& reader) {
  Json options;
  options["label_smoothing"] =
      reader.number("label_smoothing", 0, {.low = 0, .high = 1, .low_open = false, .high_open = true});
  return options;
}

Loss cross_entropy(const Json& options, const Counts&) {
  return [smoothing = options.at("label_smoothing").get<double>()](const at::Tensor& logits, const at::Tensor& targets,
                                                                   const LossWeights& weights) {
    const at::Tensor wide = widened(logits);
    std::optional<at::Tensor> of_class;
    if (weights.classes.defined()) of_class = weights.classes.to(wide.options());
    constexpr std::int64_t kIgnoreNothing = -100;
    const auto reduced = [&](std::int64_t reduction) {
      return at::cross_entropy_loss(wide, targets, of_class, reduction, kIgnoreNothing, smoothing);
    };
    if (!weights.samples.defined()) return reduced(at::Reduction::Mean);
    const at::Tensor of_sample = weights.samples.to(wide.options());
    const at::Tensor total = of_class ? (of_sample * of_class->index_select(0, targets)).sum() : of_sample.sum();
    return (reduced(at::Reduction::None) * of_sample).sum() / total;
  };
}

/// [N], the logarithm of the probability of each sample's class.
at::Tensor log_probability(const at::Tensor& logits, const at::Tensor& targets) {
  return at::log_softmax(widened(logits), 1).gather(1, targets.unsqueeze(1)).squeeze(1);
}

Json focal_options(JsonReader& reader) { return {{"gamma", reader.number("gamma", 2, Range::at_least(0))}}; }

/// -(1 - p)^gamma log p (Lin et al. 2017) of the softmax; their alpha is the class weights.
Loss focal(const Json& options, const Counts&) {
  return [gamma = options.at("gamma").get<double>()](const at::Tensor& logits, const at::Tensor& targets,
                                                     const LossWeights& weights) {
    const at::Tensor log_p = log_probability(logits, targets);
    // At p = 1 the power has an infinite slope where gamma is below 1.
    const at::Tensor missing = (-at::expm1(log_p)).clamp_min(std::numeric_limits<float>::min());
    return weighted_mean(-missing.pow(gamma) * log_p, targets, weights);
  };
}

Json poly1_options(JsonReader& reader) { return {{"epsilon", reader.number("epsilon", 1, Range::at_least(-1))}}; }

/// -log p + epsilon (1 - p) (Leng et al. 2022).
Loss poly1(const Json& options, const Counts&) {
  return [epsilon = options.at("epsilon").get<double>()](const at::Tensor& logits, const at::Tensor& targets,
                                                         const LossWeights& weights) {
    const at::Tensor log_p = log_probability(logits, targets);
    return weighted_mean(-log_p - epsilon * at::expm1(log_p), targets, weights);
  };
}

Json asymmetric_options(JsonReader& reader) {
  const double gamma_pos = reader.number("gamma_pos", 1, Range::at_least(0));
  const double gamma_neg = reader.number("gamma_neg", 4, Range::at_least(0));
  return {{"gamma_pos", gamma_pos},
          {"gamma_neg", gamma_neg},
          {"eps", reader.number("eps", 0.1, {.low = 0, .high = 1, .high_open = true})}};
}

/// Ridnik et al. 2021 in timm's form for one label: targets smoothed by eps, each log p times the missing probability
/// of its side to the power of gamma_pos (the sample's class) or gamma_neg (the others).
Loss asymmetric(const Json& options, const Counts&) {
  return [positive = options.at("gamma_pos").get<double>(), negative = options.at("gamma_neg").get<double>(),
          eps = options.at("eps").get<double>()](const at::Tensor& logits, const at::Tensor& targets,
                                                 const LossWeights& weights) {
    const at::Tensor log_p = at::log_softmax(widened(logits), 1), p = log_p.exp();
    const at::Tensor of_class = at::one_hot(targets, logits.size(1)).to(at::kBool);
    const at::Tensor focus =
        at::where(of_class, (1 - p).clamp_min(std::numeric_limits<float>::min()).pow(positive), p.pow(negative));
    const at::Tensor smooth = of_class.to(p.options()) * (1 - eps) + eps / static_cast<double>(logits.size(1));
    return weighted_mean(-(smooth * log_p * focus).sum(1), targets, weights);
  };
}

at::Tensor doubles(const Counts& counts) {
  TORCH_CHECK(!counts.classes.empty(), "a loss for long tails needs to know how many images each class has");
  return at::tensor(counts.classes, at::kDouble).clamp_min(1);
}

Json ldam_options(JsonReader& reader) {
  const double max_m = reader.number("max_m", 0.5, Range::at_least(0));
  return {{"max_m", max_m}, {"s", reader.number("s", 30, Range::above(0))}};
}

/// Label-distribution-aware margins (Cao et al. 2019): the logit of a sample's class less a margin, in proportion to
/// that class's images to the power of -1/4 and max_m for the rarest; all times s.
Loss ldam(const Json& options, const Counts& training) {
  const at::Tensor rarity = doubles(training).pow(-0.25);
  return [s = options.at("s").get<double>(), margins = rarity * (options.at("max_m").get<double>() / rarity.max())](
             const at::Tensor& logits, const at::Tensor& targets, const LossWeights& weights) {
    const at::Tensor wide = widened(logits);
    const at::Tensor margin = at::one_hot(targets, logits.size(1)).to(wide.options()) * margins.to(wide.options());
    return weighted_mean(-log_probability(s * (wide - margin), targets), targets, weights);
  };
}

Json logit_adjusted_options(JsonReader& reader) { return {{"tau", reader.number("tau", 1, Range::at_least(0))}}; }

/// Cross-entropy of the logits plus tau times the logarithm of each class's part of the images (Menon et al. 2021): the
/// logits themselves then stand for classes that are equally common.
Loss logit_adjusted(const Json& options, const Counts& training) {
  const at::Tensor counts = doubles(training);
  return [shift = options.at("tau").get<double>() * (counts / counts.sum()).log()](
             const at::Tensor& logits, const at::Tensor& targets, const LossWeights& weights) {
    const at::Tensor wide = widened(logits);
    return weighted_mean(-log_probability(wide + shift.to(wide.options()), targets), targets, weights);
  };
}

const OptionTable<LossRow>& loss_table() {
  static const OptionTable<LossRow> kTable({{"cross_entropy", cross_entropy_options, cross_entropy},
                                            {"focal", focal_options, focal},
                                            {"poly1", poly1_options, poly1},
                                            {"asymmetric", asymmetric_options, asymmetric},
                                            {"ldam", ldam_options, ldam},
                                            {"logit_adjusted", logit_adjusted_options, logit_adjusted},
                                            bce_loss(),
                                            asymmetric_multi_label_loss(),
                                            mse_loss(),
                                            l1_loss(),
                                            huber_loss(),
                                            smooth_l1_loss(),
                                            coral_loss()});
  return kTable;
}

}  // namespace

at::Tensor widened(const at::Tensor& logits) {
  return logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
}

at::Tensor weighted_mean(const at::Tensor& losses, const at::Tensor& targets, const LossWeights& weights) {
  const at::Tensor factors = weights.counts(targets, losses.options());
  return (losses * factors).sum() / factors.sum();
}

LossWeights LossWeights::of(const at::Tensor& rows) const {
  return {classes, samples.defined() ? samples.index_select(0, rows.to(samples.device())) : samples};
}

at::Tensor LossWeights::counts(const at::Tensor& targets, const at::TensorOptions& options) const {
  at::Tensor each = at::ones({targets.size(0)}, options);
  if (classes.defined()) each = each * classes.to(options).index_select(0, targets);
  return samples.defined() ? each * samples.to(options) : each;
}

const std::vector<std::string>& loss_names() { return loss_table().names(); }

std::vector<std::string> loss_names(Task task) {
  std::vector<std::string> names = loss_names();
  std::erase_if(names, [&](const std::string& name) { return loss_table().at(name).task != task; });
  return names;
}

LossSpec read_loss_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  return loss_table().read<LossSpec>(value, path, problems);
}

Json to_json(const LossSpec& spec) { return Json{{spec.name, loss_table().complete(spec)}}; }

Loss make_loss(const LossSpec& spec, const std::vector<std::int64_t>& class_counts, std::int64_t images) {
  return loss_table().at(spec.name).make(loss_table().complete(spec), {class_counts, images});
}

}  // namespace graft
