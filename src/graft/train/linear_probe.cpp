#include "graft/train/linear_probe.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "graft/core/error.h"
#include "graft/train/stratified_folds.h"

namespace graft {
namespace {

constexpr std::int64_t kFolds = 5;

/// The layer in one vector: the weight, then the bias.
at::Tensor flat(const LinearLayer& layer) {
  std::vector<at::Tensor> parts{layer.weight.flatten()};
  if (layer.bias.defined()) parts.push_back(layer.bias);
  return at::cat(parts).detach().to(at::kDouble);
}

LinearLayer layer_of(const at::Tensor& vector, const LinearLayer& like) {
  const std::int64_t weights = like.weight.numel();
  return {vector.narrow(0, 0, weights).view(like.weight.sizes()),
          like.bias.defined() ? vector.narrow(0, weights, like.bias.numel()) : at::Tensor()};
}

at::Tensor linear_logits(const at::Tensor& features, const LinearLayer& layer) {
  return at::linear(features, layer.weight,
                    layer.bias.defined() ? std::optional<at::Tensor>(layer.bias) : std::nullopt);
}

ProbeImages chosen(const ProbeImages& images, const at::Tensor& rows) {
  return {images.features.index_select(0, rows), images.targets.index_select(0, rows), images.weights.of(rows)};
}

/// Two classes share one vector, the difference of their weights: penalised as it is, as scikit-learn does.
double penalty_scale(const LinearLayer& layer) { return layer.weight.size(0) == 2 ? 2 : 1; }

/// Fits layers of one shape to one set of images, at any C.
class Fitter {
 public:
  Fitter(ProbeImages images, const LinearLayer& like, const Loss& loss, const OptimizerSpec& optimizer,
         const std::stop_token& stop)
      : images_(std::move(images)),
        like_(like),
        loss_(loss),
        optimizer_(optimizer),
        stop_(stop),
        total_(images_.weights.counts(images_.targets, images_.features.options()).sum().item<double>()) {}

  Minimum fit(const at::Tensor& start, double C) const {
    const double strength = penalty_scale(like_) / (2 * C * total_);
    const auto value_at = [&](const at::Tensor& variable) {
      return loss_of(variable) + layer_of(variable, like_).weight.square().sum() * strength;
    };
    const auto evaluate = [&](const at::Tensor& point) {
      const at::AutoGradMode with_gradient(true);
      const at::Tensor variable = point.detach().set_requires_grad(true), value = value_at(variable);
      return Evaluation{value.item<double>(), torch::autograd::grad({value}, {variable})[0]};
    };
    const auto hessian = [&](const at::Tensor& point) -> HessianProduct {
      const at::AutoGradMode with_gradient(true);
      const at::Tensor variable = point.detach().clone().set_requires_grad(true);
      const at::Tensor gradient = torch::autograd::grad({value_at(variable)}, {variable}, {}, true, true)[0];
      return [=](const at::Tensor& vector) {
        return torch::autograd::grad({gradient}, {variable}, {vector}, /*retain_graph=*/true)[0];
      };
    };
    return minimize(optimizer_, {evaluate, hessian}, start, stop_);
  }

  at::Tensor loss_of(const at::Tensor& point) const {
    return loss_(linear_logits(images_.features, layer_of(point, like_)), images_.targets, images_.weights);
  }

 private:
  ProbeImages images_;
  const LinearLayer& like_;
  const Loss& loss_;
  const OptimizerSpec& optimizer_;
  const std::stop_token& stop_;
  double total_;
};

double accuracy(const ProbeImages& images, const LinearLayer& layer) {
  return linear_logits(images.features, layer).argmax(1).eq(images.targets).to(at::kDouble).mean().item<double>();
}

at::Tensor folds_of(const at::Tensor& targets, const OptimizerSpec& optimizer) {
  const at::Tensor labels = targets.cpu().contiguous();
  const auto* begin = labels.const_data_ptr<std::int64_t>();
  if (at::bincount(labels).max().item<std::int64_t>() < kFolds)
    throw Error({"optimizer." + optimizer.name + ".C", "is \"cv\", and no class has 5 images to train on",
                 "a class of at least 5: the images are parted in five", "give a number, such as 1"});
  return torch::tensor(stratified_folds({begin, begin + labels.numel()}, kFolds)).to(targets.device());
}

/// The C that classifies best over the folds. A part of the walks when a stop was asked for.
double choose_strength(const ProbeImages& images, const LinearLayer& start, const Loss& loss,
                       const OptimizerSpec& optimizer, const std::stop_token& stop) {
  const at::Tensor folds = folds_of(images.targets, optimizer);
  const auto strengths = probe_strengths();
  std::vector<double> scores(strengths.size(), 0);
  for (std::int64_t fold = 0; fold < kFolds; ++fold) {
    const at::Tensor tested = folds.eq(fold);
    const ProbeImages test = chosen(images, at::nonzero(tested).squeeze(1));
    const Fitter fitter(chosen(images, at::nonzero(tested.logical_not()).squeeze(1)), start, loss, optimizer, stop);
    at::Tensor point = flat(start);
    for (std::size_t i = 0; i < strengths.size() && !stop.stop_requested(); ++i) {
      point = fitter.fit(point, strengths[i]).point;
      scores[i] += accuracy(test, layer_of(point, start));
    }
  }
  constexpr double kRounding = 1e-9;  // sums of equal accuracies in another order are equal
  std::size_t best = 0;
  for (std::size_t i = 1; i < scores.size(); ++i)
    if (scores[i] > scores[best] + kRounding) best = i;
  return strengths[best];
}

}  // namespace

std::vector<double> probe_strengths() {
  constexpr int kCount = 10;
  std::vector<double> values;
  for (int i = 0; i < kCount; ++i) values.push_back(std::pow(10.0, -4 + 8.0 * i / (kCount - 1)));
  return values;
}

std::optional<ProbeFit> fit_linear_probe(const ProbeImages& images, const LinearLayer& start, const Loss& loss,
                                         const OptimizerSpec& spec, const std::stop_token& stop) {
  const torch::NoGradGuard no_grad;
  const Json strength = to_json(spec).at(spec.name).at("C");
  const ProbeImages wide{images.features.to(at::kDouble), images.targets, images.weights};
  ProbeFit fit;
  fit.C = strength.is_number() ? strength.get<double>() : choose_strength(wide, start, loss, spec, stop);
  const Fitter fitter(wide, start, loss, spec, stop);
  fit.minimum = fitter.fit(flat(start), fit.C);
  if (stop.stop_requested()) return std::nullopt;
  fit.layer = layer_of(fit.minimum.point, start);
  fit.loss = fitter.loss_of(fit.minimum.point).item<double>();
  return fit;
}

}  // namespace graft
