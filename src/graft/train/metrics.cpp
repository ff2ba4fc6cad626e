#include "graft/train/metrics.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "graft/core/names.h"

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

std::vector<std::vector<std::int64_t>> counts_by_row(const at::Tensor& matrix) {
  const std::int64_t width = matrix.size(1);
  const auto* value = matrix.const_data_ptr<std::int64_t>();
  std::vector<std::vector<std::int64_t>> rows;
  for (std::int64_t row = 0; row < matrix.size(0); ++row)
    rows.emplace_back(value + row * width, value + (row + 1) * width);
  return rows;
}

void check_shapes(const at::Tensor& probabilities, const at::Tensor& targets, std::int64_t classes) {
  TORCH_CHECK(probabilities.dim() == 2 && probabilities.size(0) > 0 && probabilities.size(1) == classes,
              "probabilities are ", probabilities.sizes(), ", expected [N, ", classes, "]");
  TORCH_CHECK(targets.dim() == 1 && targets.size(0) == probabilities.size(0) && targets.scalar_type() == at::kLong,
              "targets are ", targets.scalar_type(), targets.sizes(), ", expected one int64 for each row");
  TORCH_CHECK(targets.min().item<std::int64_t>() >= 0 && targets.max().item<std::int64_t>() < classes,
              "a target is no class index");
}

struct Means {
  double accuracy = 0, balanced_accuracy = 0, macro_f1 = 0;
};

/// Fills per_class from the confusion.
Means count_classes(Metrics& metrics, const std::vector<std::string>& classes) {
  Means means;
  std::int64_t correct = 0, occurring = 0, concerned = 0;
  for (std::size_t k = 0; k < classes.size(); ++k) {
    std::int64_t support = 0, predicted = 0;
    for (std::size_t other = 0; other < classes.size(); ++other) {
      support += metrics.confusion[k][other];
      predicted += metrics.confusion[other][k];
    }
    const std::int64_t hits = metrics.confusion[k][k];
    metrics.per_class.push_back(class_metrics(classes[k], hits, predicted, support));
    correct += hits;
    if (support > 0) ++occurring;
    if (support + predicted > 0) ++concerned;
    means.balanced_accuracy += metrics.per_class.back().recall;
    means.macro_f1 += metrics.per_class.back().f1;
  }
  means.accuracy = ratio(correct, metrics.images);
  means.balanced_accuracy /= static_cast<double>(occurring);
  means.macro_f1 /= static_cast<double>(concerned);
  return means;
}

}  // namespace

double Metrics::figure(const std::string& name) const {
  const auto found = std::find_if(figures.begin(), figures.end(), [&](const auto& one) { return one.first == name; });
  if (found == figures.end())
    throw Error({"metric '" + name + "'", "is not defined on these " + std::to_string(images) + " images",
                 "images that differ in their labels", "more validation images, or another stop.metric"});
  return found->second;
}

bool less_is_better(const std::string& figure) {
  static constexpr std::array kErrors{"loss", "mae", "rmse"};
  return contains(kErrors, figure);
}

ClassMetrics class_metrics(const std::string& name, std::int64_t hits, std::int64_t predicted, std::int64_t support) {
  return {name, support, ratio(hits, predicted), ratio(hits, support), ratio(2 * hits, support + predicted)};
}

Metrics classification_metrics(const at::Tensor& probabilities, const at::Tensor& targets,
                               const std::vector<std::string>& classes, const std::vector<std::string>& scores) {
  const auto count = static_cast<std::int64_t>(classes.size());
  check_shapes(probabilities, targets, count);
  const at::NoGradGuard no_grad;
  const at::Tensor rows = probabilities.to(at::kCPU), truth = targets.to(at::kCPU);
  const at::Tensor confusion = confusion_matrix(truth, rows.argmax(1), count);
  Metrics metrics;
  metrics.images = rows.size(0);
  metrics.confusion = counts_by_row(confusion);
  const Means means = count_classes(metrics, classes);
  metrics.figures = {{"accuracy", means.accuracy},
                     {"loss", mean_cross_entropy(rows, truth)},
                     {"balanced_accuracy", means.balanced_accuracy},
                     {"macro_f1", means.macro_f1}};
  const Figures wanted = prediction_scores(rows, truth, confusion, scores);
  metrics.figures.insert(metrics.figures.end(), wanted.begin(), wanted.end());
  return metrics;
}

Metrics ordinal_metrics(const at::Tensor& probabilities, const at::Tensor& targets,
                        const std::vector<std::string>& classes, const std::vector<std::string>& scores) {
  Metrics metrics = classification_metrics(probabilities, targets, classes, scores);
  const auto count = static_cast<double>(metrics.images);
  std::vector<double> truth(classes.size(), 0), predicted(classes.size(), 0);
  const auto each_pair = [&](const auto& visit) {
    for (std::size_t i = 0; i < classes.size(); ++i)
      for (std::size_t j = 0; j < classes.size(); ++j) {
        const double apart = static_cast<double>(i) - static_cast<double>(j);
        visit(i, j, apart, static_cast<double>(metrics.confusion[i][j]));
      }
  };
  double distance = 0, found = 0, chance = 0;
  each_pair([&](std::size_t i, std::size_t j, double apart, double images) {
    truth[i] += images;
    predicted[j] += images;
    distance += std::abs(apart) * images;
    found += apart * apart * images;
  });
  each_pair([&](std::size_t i, std::size_t j, double apart, double) {
    chance += apart * apart * truth[i] * predicted[j] / count;
  });
  Figures own{{"mae", distance / count}};
  if (chance > 0) own.emplace_back("quadratic_kappa", 1 - found / chance);
  metrics.figures.insert(metrics.figures.begin() + 1, own.begin(), own.end());
  return metrics;
}

Json to_json(const Metrics& metrics) {
  Json json{{"images", metrics.images}};
  for (const auto& [name, value] : metrics.figures) json[name] = value;
  if (metrics.per_class.empty()) return json;
  Json classes = Json::array(), per_class = Json::array();
  for (const auto& figures : metrics.per_class) {
    classes.push_back(figures.name);
    per_class.push_back({{"class", figures.name},
                         {"support", figures.support},
                         {"precision", figures.precision},
                         {"recall", figures.recall},
                         {"f1", figures.f1}});
  }
  json["classes"] = std::move(classes);
  json["per_class"] = std::move(per_class);
  if (!metrics.confusion.empty()) json["confusion"] = metrics.confusion;
  return json;
}

}  // namespace graft
