#include "graft/train/full_batch.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "graft/core/error.h"

namespace graft {
namespace {

constexpr const char* kLinearHead = "[{\"linear\": \"classes\"}], or that behind {\"batch_norm\": {}}";

std::string linear_name(const HeadSpec& spec) { return "linear_" + std::to_string(spec.layers.size() - 1); }

bool has_bias(const HeadSpec& spec) { return spec.layers.back().json.at("bias") != false; }

bool is_standardised(const HeadSpec& spec) { return spec.layers.size() == 2; }

/// The first layer that a linear head has not.
std::optional<std::size_t> layer_in_the_way(const HeadSpec& spec) {
  const std::size_t last = spec.layers.size() - 1;
  for (std::size_t i = 0; i < last; ++i)
    if (i > 0 || spec.layers[i].kind != "batch_norm") return i;
  if (spec.layers[last].kind != "linear") return last;
  return std::nullopt;
}

void check_phase(const Phase& phase, const std::string& path, std::vector<Problem>& problems) {
  const auto check = [&](const char* key, bool is_right, const std::string& found, const char* expected) {
    if (!is_right)
      problems.push_back({path + "." + key, found, expected + (" beside " + phase.optimizer.name),
                          "it takes all images at once, in one epoch, and no single steps"});
  };
  check("epochs", phase.epochs == 1, "is " + std::to_string(phase.epochs), "1");
  const Json schedule = to_json(phase.schedule);
  check("schedule", schedule == to_json(ScheduleSpec{}), "is " + schedule.dump(), "\"constant\"");
  const Json clip = to_json(phase.clip);
  check("clip", clip == to_json(ClipSpec{}), "is " + clip.dump(), "\"none\"");
  check("penalty", !phase.penalty.penalises(), "is " + phase.penalty.name, "none (C is its penalty)");
  check("average", !phase.average.averages(), "is " + phase.average.name, "none");
  check("accumulate", phase.accumulate == 1, "is " + std::to_string(phase.accumulate), "1");
  check("layer_lr_decay", phase.layer_lr_decay == 1, "is not 1", "1");
}

void check_run(const Recipe& recipe, const std::string& optimizer, std::vector<Problem>& problems) {
  if (const auto i = layer_in_the_way(recipe.head))
    problems.push_back({"head[" + std::to_string(*i) + "]",
                        "is " + to_json(recipe.head)[*i].dump() + " beside " + optimizer,
                        "a linear head: " + std::string(kLinearHead), "other optimizers train any head"});
  if (!recipe.augment.empty())
    problems.push_back({"data.augment.transforms", "are given beside " + optimizer, "none: it sees each image once",
                        "other optimizers train on augmented images"});
  if (recipe.balance.draws())
    problems.push_back({"data.balance", "is " + recipe.balance.name + " beside " + optimizer,
                        "none, loss or effective: it takes each image once", ""});
  if (recipe.distill.distills())
    problems.push_back({"distill", "is given beside " + optimizer, "none: it fits labels alone",
                        "other optimizers learn from a teacher too"});
  if (recipe.activations == "off")
    problems.push_back({"cache.activations", "is \"off\" beside " + optimizer,
                        "\"auto\", \"memory\" or \"disk\": it takes all features at once", ""});
}

void standardise(torch::jit::Module& layer, ProbeImages& images) {
  const auto [variance, mean] = at::var_mean(images.features.to(at::kDouble), at::IntArrayRef{0}, /*correction=*/0);
  layer.attr("running_mean").toTensor().copy_(mean);
  layer.attr("running_var").toTensor().copy_(variance);
  images.features = layer.forward({images.features}).toTensor();
}

}  // namespace

std::vector<Problem> full_batch_problems(const Recipe& recipe) {
  std::vector<Problem> problems;
  const Phase* first = nullptr;
  for (std::size_t i = 0; i < recipe.phases.size(); ++i) {
    const Phase& phase = recipe.phases[i];
    if (!phase.optimizer.full_batch()) continue;
    check_phase(phase, "phases[" + std::to_string(i) + "]", problems);
    if (first == nullptr) check_run(recipe, (first = &phase)->optimizer.name, problems);
  }
  return problems;
}

std::vector<Problem> full_batch_problems(const Recipe& recipe, const Phase& phase, const TrainSelection& selection,
                                         const std::string& subject) {
  if (!phase.optimizer.full_batch()) return {};
  if (!selection.backbone.empty())
    return {{subject, "trains '" + *selection.backbone.begin() + "' by " + phase.optimizer.name,
             "\"head\": it takes features that are computed once", "other optimizers train below the head"}};
  std::vector<std::string> names{linear_name(recipe.head) + ".weight"};
  if (has_bias(recipe.head)) names.push_back(linear_name(recipe.head) + ".bias");
  for (const auto& name : names)
    if (!selection.head.contains(name))
      return {{subject, "leaves 'head." + name + "' out", "\"head\": " + phase.optimizer.name + " fits all of it", ""}};
  return {};
}

at::Tensor all_features(const Network& network, FrozenActivations& train, std::int64_t batch_size, const Phase& phase,
                        const FrozenProgress& progress, const std::stop_token& stop) {
  if (!train.keeps())
    throw Error({"phase '" + phase.name + "'", "needs the features of all images, and there is no room for them",
                 "room for them in memory or on the disk", "an optimizer of single steps streams them"});
  std::vector<at::Tensor> rows{at::empty({0, network.backbone().num_features()}, network.device())};
  train.for_each_batch(
      batches_in_order(train.samples().size(), batch_size), 0,
      [&](const at::Tensor& batch, const auto&) { rows.push_back(batch.to(network.device())); }, progress, stop);
  return at::cat(rows);
}

std::optional<ProbeFit> train_full_batch(torch::jit::Module& head, const HeadSpec& spec, ProbeImages images,
                                         const Loss& loss, const Phase& phase, const std::stop_token& stop) {
  const torch::NoGradGuard no_grad;
  head.eval();
  if (is_standardised(spec)) {
    torch::jit::Module batch_norm = head.attr("batch_norm_0").toModule();
    standardise(batch_norm, images);
  }
  const torch::jit::Module linear = head.attr(linear_name(spec)).toModule();
  const LinearLayer layer{linear.attr("weight").toTensor(),
                          has_bias(spec) ? linear.attr("bias").toTensor() : at::Tensor()};
  auto fit = fit_linear_probe(images, layer, loss, phase.optimizer, stop);
  if (!fit) return std::nullopt;
  if (!std::isfinite(fit->minimum.value))
    throw Error({"phase '" + phase.name + "'", "the loss is no finite number", "a loss that falls",
                 "newton_cg, or lbfgs with \"line_search_fn\": \"strong_wolfe\", takes no step that raises it"});
  layer.weight.copy_(fit->layer.weight);
  if (layer.bias.defined()) layer.bias.copy_(fit->layer.bias);
  return fit;
}

std::string text_of(const ProbeFit& fit) {
  return c10::str(
      "linear probe: C = ", fit.C, ", ", fit.minimum.iterations, " iterations, ",
      fit.minimum.converged ? "converged" : "not at the minimum yet: raise max_iter (of lbfgs max_eval too)");
}

}  // namespace graft
