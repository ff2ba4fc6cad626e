#include "graft/train/loss.h"

#include <ATen/ATen.h>

#include <limits>

#include "graft/core/option_table.h"

namespace graft {
namespace {

Json cross_entropy_options(JsonReader& reader) {
  Json options;
  options["label_smoothing"] =
      reader.number("label_smoothing", 0, {.low = 0, .high = 1, .low_open = false, .high_open = true});
  return options;
}

Loss cross_entropy(const Json& options) {
  return [smoothing = options.at("label_smoothing").get<double>()](const at::Tensor& logits, const at::Tensor& targets,
                                                                   const LossWeights& weights) {
    std::optional<at::Tensor> of_class;
    if (weights.classes.defined()) of_class = weights.classes.to(logits.device(), at::kFloat);
    constexpr std::int64_t kIgnoreNothing = -100;
    const auto reduced = [&](std::int64_t reduction) {
      return at::cross_entropy_loss(logits.to(at::kFloat), targets, of_class, reduction, kIgnoreNothing, smoothing);
    };
    if (!weights.samples.defined()) return reduced(at::Reduction::Mean);
    const at::Tensor of_sample = weights.samples.to(logits.device(), at::kFloat);
    const at::Tensor total = of_class ? (of_sample * of_class->index_select(0, targets)).sum() : of_sample.sum();
    return (reduced(at::Reduction::None) * of_sample).sum() / total;
  };
}

/// The mean of losses [N], each times the weight of its class and of its sample, as cross_entropy_loss takes it.
at::Tensor weighted_mean(const at::Tensor& losses, const at::Tensor& targets, const LossWeights& weights) {
  at::Tensor factors = at::ones_like(losses);
  if (weights.classes.defined())
    factors = factors * weights.classes.to(losses.device(), at::kFloat).index_select(0, targets);
  if (weights.samples.defined()) factors = factors * weights.samples.to(losses.device(), at::kFloat);
  return (losses * factors).sum() / factors.sum();
}

/// [N], the logarithm of the probability of each sample's class.
at::Tensor log_probability(const at::Tensor& logits, const at::Tensor& targets) {
  return at::log_softmax(logits.to(at::kFloat), 1).gather(1, targets.unsqueeze(1)).squeeze(1);
}

Json focal_options(JsonReader& reader) { return {{"gamma", reader.number("gamma", 2, Range::at_least(0))}}; }

/// -(1 - p)^gamma log p (Lin et al. 2017) of the softmax; their alpha is the class weights.
Loss focal(const Json& options) {
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
Loss poly1(const Json& options) {
  return [epsilon = options.at("epsilon").get<double>()](const at::Tensor& logits, const at::Tensor& targets,
                                                         const LossWeights& weights) {
    const at::Tensor log_p = log_probability(logits, targets);
    return weighted_mean(-log_p - epsilon * at::expm1(log_p), targets, weights);
  };
}

struct Row {
  std::string name;
  Json (*read_options)(JsonReader& reader);
  Loss (*make)(const Json& options);
};

const OptionTable<Row>& table() {
  static const OptionTable<Row> kTable({{"cross_entropy", cross_entropy_options, cross_entropy},
                                        {"focal", focal_options, focal},
                                        {"poly1", poly1_options, poly1}});
  return kTable;
}

}  // namespace

LossSpec read_loss_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  return table().read<LossSpec>(value, path, problems);
}

Json to_json(const LossSpec& spec) { return Json{{spec.name, table().complete(spec)}}; }

Loss make_loss(const LossSpec& spec) { return table().at(spec.name).make(table().complete(spec)); }

}  // namespace graft
