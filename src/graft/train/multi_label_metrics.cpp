#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <limits>
#include <optional>

#include "graft/core/names.h"
#include "graft/train/metrics.h"
#include "graft/train/ranking.h"

namespace graft {
namespace {

struct LabelAnswers {
  at::Tensor probabilities, targets, predicted;  // double [N, C]
};

/// Clipped as scikit-learn's log_loss clips float32.
double mean_binary_cross_entropy(const LabelAnswers& given) {
  constexpr double kSmallest = std::numeric_limits<float>::epsilon();
  const at::Tensor p = given.probabilities.clamp(kSmallest, 1 - kSmallest);
  return -(given.targets * p.log() + (1 - given.targets) * (1 - p).log()).mean().item<double>();
}

/// Of the classes that some image is of and, for areas that need both kinds, some is not.
std::optional<double> mean_area(const LabelAnswers& given,
                                double (*area)(const at::Tensor& scores, const at::Tensor& hits), bool needs_both) {
  double sum = 0;
  int classes = 0;
  for (std::int64_t k = 0; k < given.targets.size(1); ++k) {
    const at::Tensor hits = given.targets.select(1, k).contiguous();
    const double part = hits.mean().item<double>();
    if (part == 0 || (needs_both && part == 1)) continue;
    sum += area(given.probabilities.select(1, k).contiguous(), hits);
    ++classes;
  }
  return classes == 0 ? std::nullopt : std::optional(sum / classes);
}

void add_areas(Metrics& metrics, const LabelAnswers& given, const std::vector<std::string>& scores) {
  const auto add = [&](const char* name, const auto& area, bool needs_both) {
    if (!contains(scores, name)) return;
    if (const auto value = mean_area(given, area, needs_both)) metrics.figures.emplace_back(name, *value);
  };
  add("average_precision", area_under_precision_recall, false);
  add("auroc", area_under_roc, true);
}

double micro_f1(const at::Tensor& hits, const at::Tensor& marks) {
  const double all = marks.sum().item<double>();
  return all == 0 ? 0 : 2 * hits.sum().item<double>() / all;
}

}  // namespace

Metrics multi_label_metrics(const at::Tensor& probabilities, const at::Tensor& targets,
                            const std::vector<std::string>& classes, const std::vector<std::string>& scores) {
  const auto count = static_cast<std::int64_t>(classes.size());
  TORCH_CHECK(probabilities.dim() == 2 && probabilities.size(0) > 0 && probabilities.size(1) == count,
              "probabilities are ", probabilities.sizes(), ", expected [N, ", count, "]");
  TORCH_CHECK(targets.sizes() == probabilities.sizes(), "targets are ", targets.sizes(), ", expected ",
              probabilities.sizes());
  const at::NoGradGuard no_grad;
  const at::Tensor wide = probabilities.to(at::kCPU, at::kDouble);
  const LabelAnswers given{wide, targets.to(at::kCPU, at::kDouble), wide.ge(0.5).to(at::kDouble)};
  const at::Tensor hits = (given.targets * given.predicted).sum(0);
  const at::Tensor truth = given.targets.sum(0), predicted = given.predicted.sum(0);
  Metrics metrics;
  metrics.images = wide.size(0);
  add_areas(metrics, given, scores);
  double f1 = 0;
  for (std::int64_t k = 0; k < count; ++k) {
    const auto number = [&](const at::Tensor& of) { return static_cast<std::int64_t>(of[k].item<double>()); };
    metrics.per_class.push_back(
        class_metrics(classes[static_cast<std::size_t>(k)], number(hits), number(predicted), number(truth)));
    f1 += metrics.per_class.back().f1;
  }
  const at::Tensor right = given.targets.eq(given.predicted).all(1).to(at::kDouble);
  const Figures counted{{"loss", mean_binary_cross_entropy(given)},
                        {"accuracy", right.mean().item<double>()},
                        {"macro_f1", f1 / static_cast<double>(count)},
                        {"micro_f1", micro_f1(hits, truth + predicted)}};
  metrics.figures.insert(metrics.figures.end(), counted.begin(), counted.end());
  return metrics;
}

}  // namespace graft
