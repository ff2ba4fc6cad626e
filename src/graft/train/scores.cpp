#include "graft/train/scores.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "graft/core/names.h"

namespace graft {
namespace {

struct Predictions {
  at::Tensor probabilities;  // double [N, C]
  at::Tensor targets;        // int64 [N]
  at::Tensor confusion;      // double [C, C], true by predicted
};

using Score = std::optional<double>;

std::int64_t classes(const Predictions& given) { return given.probabilities.size(1); }

bool every_class_occurs(const Predictions& given) {
  return classes(given) > 1 && given.confusion.sum(1).min().item<double>() > 0;
}

Score weighted_f1(const Predictions& given) {
  const at::Tensor support = given.confusion.sum(1);
  const at::Tensor f1 = 2 * given.confusion.diagonal() / (support + given.confusion.sum(0)).clamp_min(1);
  return ((f1 * support).sum() / support.sum()).item<double>();
}

/// Gorodkin 2004, for any number of classes; 0 where one class is all there is, or all that is predicted.
Score mcc(const Predictions& given) {
  const at::Tensor truth = given.confusion.sum(1), predicted = given.confusion.sum(0);
  const double total = truth.sum().item<double>(), hits = given.confusion.diagonal().sum().item<double>();
  const double spread =
      (total * total - truth.square().sum().item<double>()) * (total * total - predicted.square().sum().item<double>());
  return spread == 0 ? 0 : (hits * total - (truth * predicted).sum().item<double>()) / std::sqrt(spread);
}

/// Cohen 1960.
Score kappa(const Predictions& given) {
  const double total = given.confusion.sum().item<double>();
  const double hits = total * given.confusion.diagonal().sum().item<double>();
  const double chance = (given.confusion.sum(0) * given.confusion.sum(1)).sum().item<double>();
  if (chance == total * total) return std::nullopt;
  return (hits - chance) / (total * total - chance);
}

/// Of equal probabilities the later class comes first, as in scikit-learn.
Score top_5(const Predictions& given) {
  if (classes(given) <= 5) return std::nullopt;
  const at::Tensor target = given.targets.unsqueeze(1);
  const at::Tensor chosen = given.probabilities.gather(1, target);
  const at::Tensor later = at::arange(classes(given)) > target;
  const at::Tensor ahead = (given.probabilities > chosen) | ((given.probabilities == chosen) & later);
  return (ahead.sum(1) < 5).to(at::kDouble).mean().item<double>();
}

/// The images of a class and all others as the threshold falls to each distinct probability.
struct Curve {
  at::Tensor hits, false_alarms;  // double [thresholds]
};

Curve curve_of(const Predictions& given, std::int64_t k) {
  const auto [values, order] = given.probabilities.select(1, k).sort(0, /*descending=*/true);
  const at::Tensor hits = given.targets.eq(k).to(at::kDouble).index_select(0, order).cumsum(0);
  const at::Tensor last_of_ties = at::cat({values.slice(0, 1) != values.slice(0, 0, -1), at::ones({1}, at::kBool)});
  const at::Tensor at_threshold = last_of_ties.nonzero().squeeze(1);
  const at::Tensor seen = at_threshold.to(at::kDouble) + 1;
  const at::Tensor found = hits.index_select(0, at_threshold);
  return {found, seen - found};
}

Score mean_over_classes(const Predictions& given, double (*area)(const Curve& curve)) {
  if (!every_class_occurs(given)) return std::nullopt;
  double sum = 0;
  for (std::int64_t k = 0; k < classes(given); ++k) sum += area(curve_of(given, k));
  return sum / static_cast<double>(classes(given));
}

Score auroc(const Predictions& given) {
  return mean_over_classes(given, [](const Curve& curve) {
    const at::Tensor start = at::zeros({1}, at::kDouble);
    const at::Tensor recall = at::cat({start, curve.hits / curve.hits[-1]});
    return at::trapezoid(recall, at::cat({start, curve.false_alarms / curve.false_alarms[-1]})).item<double>();
  });
}

Score average_precision(const Predictions& given) {
  return mean_over_classes(given, [](const Curve& curve) {
    const at::Tensor gained = at::diff(at::cat({at::zeros({1}, at::kDouble), curve.hits / curve.hits[-1]}));
    return (gained * curve.hits / (curve.hits + curve.false_alarms)).sum().item<double>();
  });
}

Score brier(const Predictions& given) {
  const at::Tensor one_hot = at::one_hot(given.targets, classes(given)).to(at::kDouble);
  const double sum = (given.probabilities - one_hot).square().sum(1).mean().item<double>();
  return classes(given) == 2 ? sum / 2 : sum;
}

Score ece(const Predictions& given) {
  constexpr std::int64_t kBins = 15;
  const auto [confidence, predicted] = given.probabilities.max(1);
  const at::Tensor bin = (confidence * kBins).ceil().to(at::kLong).clamp(1, kBins) - 1;
  const at::Tensor surplus = confidence - (predicted == given.targets).to(at::kDouble);
  const at::Tensor sums = at::zeros({kBins}, at::kDouble).index_add(0, bin, surplus);
  return sums.abs().sum().item<double>() / static_cast<double>(bin.size(0));
}

struct Row {
  std::string name;
  Score (*score)(const Predictions& given);
};

const std::vector<Row>& table() {
  static const std::vector<Row> kTable{{"weighted_f1", weighted_f1},
                                       {"mcc", mcc},
                                       {"kappa", kappa},
                                       {"top_5", top_5},
                                       {"auroc", auroc},
                                       {"average_precision", average_precision},
                                       {"brier", brier},
                                       {"ece", ece}};
  return kTable;
}

}  // namespace

std::vector<std::string> score_names() { return names_of(table()); }

Scores prediction_scores(const at::Tensor& probabilities, const at::Tensor& targets, const at::Tensor& confusion,
                         const std::vector<std::string>& names) {
  const at::NoGradGuard no_grad;
  const Predictions given{probabilities.to(at::kDouble), targets, confusion.to(at::kDouble)};
  Scores scores;
  for (const auto& row : table()) {
    if (std::find(names.begin(), names.end(), row.name) == names.end()) continue;
    if (const Score score = row.score(given)) scores.emplace_back(row.name, *score);
  }
  return scores;
}

}  // namespace graft
