#include "graft/train/diagnosis.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "graft/train/findings.h"

namespace graft {
namespace {

constexpr std::int64_t kFeatureImages = 256;  // of each validation: enough to tell a unit that is never of use

bool is_size(double value) { return value > 0 && std::isfinite(value); }

/// Adds a size to {"samples", "mean", "largest"}; the mean is geometric, as sizes are compared by factors.
void add_sample(Json& summary, double value) {
  if (summary.is_null()) summary = Json::object();
  const auto count = summary.value("samples", std::int64_t{0});
  const double logs = count == 0 ? 0 : static_cast<double>(count) * std::log(summary.at("mean").get<double>());
  summary["samples"] = count + 1;
  summary["mean"] = std::exp((logs + std::log(value)) / static_cast<double>(count + 1));
  summary["largest"] = std::max(summary.value("largest", 0.0), value);
}

/// Some of a weight's numbers: the norm of a change is estimated from them.
at::Tensor part_of(const at::Tensor& weight) {
  constexpr std::int64_t kNumbers = 65536;
  const at::Tensor flat = weight.detach().reshape(-1);
  return flat.narrow(0, 0, std::min(flat.numel(), kNumbers));
}

double norm_of(const at::Tensor& tensor) { return at::linalg_vector_norm(tensor.to(at::kFloat)).item<double>(); }

double gradient_norm(const std::vector<ParameterGroup>& groups) {
  double squares = 0;
  for (const auto& group : groups)
    for (const auto& parameter : group.parameters)
      if (parameter.grad().defined()) squares += std::pow(norm_of(parameter.grad()), 2);
  return std::sqrt(squares);
}

/// How to tell of an activation's values [N, units] which are of use.
struct Use {
  const char* key;  ///< of the diagnosis, for units without a useful value
  at::Tensor (*is_useful)(const at::Tensor& values);
};
const std::map<std::string, Use>& uses() {
  constexpr auto positive = [](const at::Tensor& values) { return values.gt(0); };
  constexpr auto within_unit = [](const at::Tensor& values) { return values.gt(0.01).logical_and_(values.lt(0.99)); };
  constexpr auto within_signed = [](const at::Tensor& values) { return values.abs().lt(0.98); };
  static const std::map<std::string, Use> kUses{{"relu", {"dead_units", positive}},
                                                {"relu6", {"dead_units", positive}},
                                                {"sigmoid", {"saturated_units", within_unit}},
                                                {"hardsigmoid", {"saturated_units", within_unit}},
                                                {"tanh", {"saturated_units", within_signed}}};
  return kUses;
}

/// The least and the first loss that is to be expected of a network over so many classes; equal where no rule is known.
std::pair<double, double> expected_losses(const Recipe& recipe, std::int64_t classes) {
  const LossSpec& loss = recipe.loss;
  if (loss.name != "cross_entropy" || recipe.distill.distills()) return {0, 0};
  const auto count = static_cast<double>(classes);
  const double smoothing = to_json(loss).at(loss.name).at("label_smoothing").get<double>();
  const auto entropy = [](double p) { return p > 0 ? -p * std::log(p) : 0; };
  return {entropy(1 - smoothing + smoothing / count) + (count - 1) * entropy(smoothing / count), std::log(count)};
}

bool starts_from_prior(const HeadSpec& head) { return head.layers.back().json.value("bias", Json()) == "prior"; }

/// Trains a copy of the head on one batch. @returns its loss before and after
Json learn_by_heart(const torch::jit::Module& head, const at::Tensor& features, const at::Tensor& targets) {
  constexpr int kSteps = 200;
  const torch::AutoGradMode without_gradients(
      false);  // a copy that is made with them on belongs to the original's graph
  torch::jit::Module copy = head.deepcopy();
  const torch::AutoGradMode with_gradients(true);
  copy.eval();  // no dropout, and no random numbers
  ParameterGroup group;
  for (const auto& parameter : copy.named_parameters()) {
    group.names.push_back(parameter.name);
    group.parameters.push_back(parameter.value.set_requires_grad(true));
  }
  const auto optimizer = make_optimizer({"adamw", {{"lr", 0.01}, {"weight_decay", 0}}}, {group});
  Json losses;
  for (int step = 0; step <= kSteps; ++step) {
    const at::Tensor loss = at::cross_entropy_loss(copy.forward({features}).toTensor().to(at::kFloat), targets);
    losses[step == 0 ? "before" : "after"] = loss.item<double>();
    loss.backward();
    optimizer->step({0.01, {}});
    optimizer->zero_grad();
  }
  return losses;
}

}  // namespace

void Diagnosis::begin_phase(const Recipe& recipe, std::size_t phase, Network& network, std::int64_t classes,
                            std::int64_t steps_per_epoch) {
  recipe_ = &recipe;
  network_ = &network;
  phase_ = phase;
  classes_ = classes;
  steps_per_epoch_ = steps_per_epoch;
  before_.clear();
  stages_.clear();
  for (const auto& stage : network.backbone().stages())
    for (const auto& parameter : stage.parameters) stages_["backbone." + parameter] = stage.name;
  if (looks()) of_phase()["name"] = recipe.phases[phase].name;
}

std::string Diagnosis::place_of(const std::string& parameter) const {
  const auto stage = stages_.find(parameter);
  if (stage != stages_.end()) return stage->second == "head" ? "backbone.head" : stage->second;
  return parameter.substr(0, parameter.find('.'));
}

bool Diagnosis::wants_batch() const {
  return looks() && recipe_->diagnosis.overfit_batch && !record_.contains("one_batch");
}

void Diagnosis::see_batch(const at::Tensor& activations, const at::Tensor& targets) {
  network_->eval();
  at::Tensor features;
  {
    const torch::NoGradGuard no_grad;
    features = network_->features(activations.clone());
  }
  network_->train();
  Json losses = learn_by_heart(network_->head(), features, targets.to(features.device()));
  losses["images"] = targets.size(0);
  record_["one_batch"] = losses;
  const double after = losses.at("after").get<double>();
  if (!(after < 0.1 * std::log(static_cast<double>(classes_))))
    say_(c10::str("check: the head cannot learn one batch of ", targets.size(0), " photos by heart (loss ", after,
                  "): do labels contradict each other? a larger head, or another backbone, tells more apart"));
}

void Diagnosis::see_loss(double loss) {
  if (!looks() || record_.contains("initial_loss")) return;
  const double expected = expected_losses(*recipe_, classes_).second;
  record_["initial_loss"] = {{"found", loss}, {"expected", expected > 0 ? Json(expected) : Json()}};
  if (expected == 0 || starts_from_prior(recipe_->head) || loss < expected + 1) return;
  say_(c10::str("check: the loss starts at ", loss, ", where a head that knows nothing has ln(classes) = ", expected,
                ": begin the head with {\"batch_norm\": {}}, or start its last layer from less (\"init\")"));
}

void Diagnosis::before_update(const std::vector<ParameterGroup>& groups, std::int64_t step) {
  const std::int64_t looked_at = recipe_->diagnosis.steps;
  if ((step + 1) * looked_at / steps_per_epoch_ == step * looked_at / steps_per_epoch_) return;
  const torch::NoGradGuard no_grad;
  if (const double norm = gradient_norm(groups); is_size(norm)) add_sample(of_phase()["gradient_norm"], norm);
  for (const auto& group : groups)
    for (std::size_t i = 0; i < group.names.size(); ++i)
      if (group.parameters[i].dim() >= 2) before_[group.names[i]] = part_of(group.parameters[i]).clone();
}

void Diagnosis::after_update(const std::vector<ParameterGroup>& groups) {
  if (before_.empty()) return;
  const torch::NoGradGuard no_grad;
  std::map<std::string, std::pair<double, double>> squares;  // of change and weights, by place
  for (const auto& group : groups)
    for (std::size_t i = 0; i < group.names.size(); ++i) {
      const auto before = before_.find(group.names[i]);
      if (before == before_.end()) continue;
      auto& [change, weights] = squares[place_of(group.names[i])];
      change += std::pow(norm_of(part_of(group.parameters[i]) - before->second), 2);
      weights += std::pow(norm_of(before->second), 2);
    }
  for (const auto& [place, sums] : squares)
    if (const double ratio = std::sqrt(sums.first / sums.second); is_size(ratio))
      add_sample(of_phase()["update_ratio"][place], ratio);
  before_.clear();
}

void Diagnosis::see_features(const at::Tensor& features, std::int64_t images_before) {
  if (!looks() || images_before >= kFeatureImages) return;
  const auto& layers = recipe_->head.layers;
  if (images_before == 0) useful_.assign(layers.size(), {});
  std::size_t index = 0;
  at::Tensor values = features;
  for (auto layer : network_->head().named_children()) {
    values = layer.value.forward({values}).toTensor();
    const auto use = layers[index].kind == "activation" ? uses().find(layers[index].json.at("activation").begin().key())
                                                        : uses().end();
    if (use != uses().end()) {
      const at::Tensor now = use->second.is_useful(values).any(0);
      at::Tensor& so_far = useful_[index];
      so_far = so_far.defined() ? so_far.logical_or(now) : now;
      of_phase()[use->second.key][layer.name] = 1 - so_far.to(at::kDouble).mean().item<double>();
    }
    ++index;
  }
}

void Diagnosis::end_phase(const Json& history) {
  if (!looks()) return;
  std::vector<Json> epochs;
  for (const auto& record : history)
    if (record.at("phase") == recipe_->phases[phase_].name) epochs.push_back(record);
  const auto [floor, start] = expected_losses(*recipe_, classes_);
  if (!epochs.empty()) of_phase()["fit"] = fit_of(epochs, start, floor);
  const auto lines = findings_of(of_phase(), *recipe_, phase_);
  of_phase()["says"] = lines;
  for (const auto& line : lines) say_("check: " + line);
}

}  // namespace graft
