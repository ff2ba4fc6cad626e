#include "graft/train/scores.h"

#include <ATen/ATen.h>

#include <cmath>
#include <optional>

#include "graft/core/names.h"
#include "graft/train/ranking.h"

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

/// Of a class against the rest.
Score mean_over_classes(const Predictions& given, double (*area)(const at::Tensor& scores, const at::Tensor& hits)) {
  if (!every_class_occurs(given)) return std::nullopt;
  double sum = 0;
  for (std::int64_t k = 0; k < classes(given); ++k)
    sum += area(given.probabilities.select(1, k), given.targets.eq(k).to(at::kDouble));
  return sum / static_cast<double>(classes(given));
}

Score auroc(const Predictions& given) { return mean_over_classes(given, area_under_roc); }

Score average_precision(const Predictions& given) { return mean_over_classes(given, area_under_precision_recall); }

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

struct ScoreRow {
  std::string name;
  Score (*score)(const Predictions& given);
};

const std::vector<ScoreRow>& score_table() {
  static const std::vector<ScoreRow> kTable{{"weighted_f1", weighted_f1},
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

std::vector<std::string> score_names() { return names_of(score_table()); }

Figures prediction_scores(const at::Tensor& probabilities, const at::Tensor& targets, const at::Tensor& confusion,
                          const std::vector<std::string>& names) {
  const at::NoGradGuard no_grad;
  const Predictions given{probabilities.to(at::kDouble), targets, confusion.to(at::kDouble)};
  Figures scores;
  for (const auto& row : score_table()) {
    if (!contains(names, row.name)) continue;
    if (const Score score = row.score(given)) scores.emplace_back(row.name, *score);
  }
  return scores;
}

}  // namespace graft
