#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <optional>

#include "graft/train/metrics.h"
#include "graft/train/ranking.h"

namespace graft {
namespace {

/// 1 - squares left / squares there are; of numbers that are all the same 1 where each is met, else 0, as in
/// scikit-learn.
double r2(const at::Tensor& found, const at::Tensor& truth) {
  const double left = (found - truth).square().sum().item<double>();
  const double all = (truth - truth.mean()).square().sum().item<double>();
  if (all == 0) return left == 0 ? 1 : 0;
  return 1 - left / all;
}

std::optional<double> spearman(const at::Tensor& found, const at::Tensor& truth) {
  const at::Tensor a = ranks_of(found) - ranks_of(found).mean(), b = ranks_of(truth) - ranks_of(truth).mean();
  const double scale = std::sqrt((a.square().sum() * b.square().sum()).item<double>());
  if (scale == 0) return std::nullopt;
  return (a * b).sum().item<double>() / scale;
}

}  // namespace

Metrics regression_metrics(const at::Tensor& values, const at::Tensor& targets, const std::vector<std::string>& outputs,
                           const std::vector<std::string>&) {
  const auto count = static_cast<std::int64_t>(outputs.size());
  TORCH_CHECK(values.dim() == 2 && values.size(0) > 0 && values.size(1) == count, "values are ", values.sizes(),
              ", expected [N, ", count, "]");
  TORCH_CHECK(targets.sizes() == values.sizes(), "targets are ", targets.sizes(), ", expected ", values.sizes());
  const at::NoGradGuard no_grad;
  const at::Tensor found = values.to(at::kCPU, at::kDouble), truth = targets.to(at::kCPU, at::kDouble);
  double rmse = 0, mae = 0, mse = 0, explained = 0;
  std::optional<double> order = 0;
  for (std::int64_t k = 0; k < count; ++k) {
    const at::Tensor a = found.select(1, k).contiguous(), b = truth.select(1, k).contiguous();
    const double squared = (a - b).square().mean().item<double>();
    rmse += std::sqrt(squared);
    mse += squared;
    mae += (a - b).abs().mean().item<double>();
    explained += r2(a, b);
    const auto of_output = spearman(a, b);
    order = order && of_output ? std::optional(*order + *of_output) : std::nullopt;
  }
  const auto mean = [&](double sum) { return sum / static_cast<double>(count); };
  Metrics metrics;
  metrics.images = found.size(0);
  metrics.figures = {{"rmse", mean(rmse)}, {"mae", mean(mae)}, {"loss", mean(mse)}};
  if (metrics.images > 1) metrics.figures.emplace_back("r2", mean(explained));
  if (order) metrics.figures.emplace_back("spearman", mean(*order));
  return metrics;
}

}  // namespace graft
