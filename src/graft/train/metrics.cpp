#include "graft/train/metrics.h"

#include <ATen/ATen.h>

#include <limits>

namespace graft {
namespace {

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// A probability that rounded to 0 must not make the mean infinite: clipped as scikit-learn's log_loss does.
double mean_cross_entropy(const at::Tensor& probabilities, const at::Tensor& targets) {
  constexpr double kSmallest = std::numeric_limits<float>::epsilon();
  const at::Tensor chosen = probabilities.gather(1, targets.unsqueeze(1)).to(at::kDouble);
  return -chosen.clamp(kSmallest, 1 - kSmallest).log().mean().item<double>();
}

/// [C, C], true by predicted.
at::Tensor confusion_matrix(const at::Tensor& targets, const at::Tensor& predicted, std::int64_t classes) {
  return at::bincount(targets * classes + predicted, {}, classes * classes).view({classes, classes});
}

std::vector<std::vector<std::int64_t>> rows_of(const at::Tensor& matrix) {
  const std::int64_t width = matrix.size(1);
  const auto* value = matrix.const_data_ptr<std::int64_t>();
  std::vector<std::vector<std::int64_t>> rows;
  for (std::int64_t row = 0; row < matrix.size(0); ++row)
    rows.emplace_back(value + row * width, value + (row + 1) * width);
  return rows;
}

}  // namespace

ClassificationMetrics classification_metrics(const at::Tensor& probabilities, const at::Tensor& targets,
                                             const std::vector<std::string>& classes,
                                             const std::vector<std::string>& scores) {
  const auto count = static_cast<std::int64_t>(classes.size());
  TORCH_CHECK(probabilities.dim() == 2 && probabilities.size(0) > 0 && probabilities.size(1) == count,
              "probabilities are ", probabilities.sizes(), ", expected [N, ", count, "]");
  TORCH_CHECK(targets.dim() == 1 && targets.size(0) == probabilities.size(0) && targets.scalar_type() == at::kLong,
              "targets are ", targets.scalar_type(), targets.sizes(), ", expected one int64 for each row");
  const at::NoGradGuard no_grad;
  const at::Tensor rows = probabilities.to(at::kCPU);
  const at::Tensor truth = targets.to(at::kCPU);
  TORCH_CHECK(truth.min().item<std::int64_t>() >= 0 && truth.max().item<std::int64_t>() < count,
              "a target is no class index");

  ClassificationMetrics metrics;
  metrics.images = rows.size(0);
  metrics.loss = mean_cross_entropy(rows, truth);
  const at::Tensor confusion = confusion_matrix(truth, rows.argmax(1), count);
  metrics.confusion = rows_of(confusion);
  std::int64_t correct = 0, occurring = 0, concerned = 0;
  for (std::size_t k = 0; k < classes.size(); ++k) {
    std::int64_t predicted = 0;
    ClassMetrics figures{.name = classes[k]};
    for (std::size_t other = 0; other < classes.size(); ++other) {
      figures.support += metrics.confusion[k][other];
      predicted += metrics.confusion[other][k];
    }
    const std::int64_t hits = metrics.confusion[k][k];
    figures.precision = ratio(hits, predicted);
    figures.recall = ratio(hits, figures.support);
    figures.f1 = ratio(2 * hits, figures.support + predicted);
    correct += hits;
    if (figures.support > 0) ++occurring;
    if (figures.support + predicted > 0) ++concerned;
    metrics.balanced_accuracy += figures.recall;
    metrics.macro_f1 += figures.f1;
    metrics.per_class.push_back(std::move(figures));
  }
  metrics.accuracy = ratio(correct, metrics.images);
  metrics.balanced_accuracy /= static_cast<double>(occurring);
  metrics.macro_f1 /= static_cast<double>(concerned);
  metrics.scores = prediction_scores(rows, truth, confusion, scores);
  return metrics;
}

Json to_json(const ClassificationMetrics& metrics) {
  Json classes = Json::array(), per_class = Json::array();
  for (const auto& figures : metrics.per_class) {
    classes.push_back(figures.name);
    per_class.push_back({{"class", figures.name},
                         {"support", figures.support},
                         {"precision", figures.precision},
                         {"recall", figures.recall},
                         {"f1", figures.f1}});
  }
  Json json{{"images", metrics.images},
            {"accuracy", metrics.accuracy},
            {"loss", metrics.loss},
            {"balanced_accuracy", metrics.balanced_accuracy},
            {"macro_f1", metrics.macro_f1}};
  for (const auto& [name, value] : metrics.scores) json[name] = value;
  json["classes"] = std::move(classes);
  json["per_class"] = std::move(per_class);
  json["confusion"] = metrics.confusion;
  return json;
}

}  // namespace graft
