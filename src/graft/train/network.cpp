#include "graft/train/network.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <set>

#include "graft/backbone/sixteen_bit_dropout.h"
#include "graft/core/error.h"
#include "graft/core/names.h"
#include "graft/core/runtime.h"

namespace graft {
namespace {

std::int64_t count(const torch::jit::Module& module, bool trained) {
  std::int64_t total = 0;
  for (const auto& parameter : module.parameters())
    if (parameter.requires_grad() == trained) total += parameter.numel();
  return total;
}

std::vector<torch::jit::Module> in_training_mode(const torch::jit::Module& module) {
  std::vector<torch::jit::Module> found;
  for (const auto& submodule : module.modules())
    if (submodule.hasattr("training") && submodule.attr("training").toBool()) found.push_back(submodule);
  return found;
}

/// Of the stage `index`, counted from the images, among `stages`.
double stage_scale(double layer_lr_decay, std::size_t index, std::size_t stages) {
  return std::pow(layer_lr_decay, static_cast<double>(stages - index));
}

/// Collects parameters into groups of one scale and one opinion on weight decay.
class GroupBuilder {
 public:
  void add(const std::string& name, const at::Tensor& parameter, double scale) {
    const bool decays = parameter.dim() >= 2;
    const auto same = [&](const ParameterGroup& group) {
      return group.lr_scale == scale && group.weight_decay == decays;
    };
    auto group = std::find_if(groups.begin(), groups.end(), same);
    if (group == groups.end()) group = groups.insert(groups.end(), ParameterGroup{{}, {}, scale, decays});
    group->names.push_back(name);
    group->parameters.push_back(parameter);
  }

  std::vector<ParameterGroup> groups;
};

}  // namespace

Network::Network(Backbone backbone, torch::jit::Module head, c10::Device device)
    : backbone_(std::move(backbone)), head_(std::move(head)), device_(device) {
  backbone_.module().eval();
  head_.eval();
  graph::use_sixteen_bit_dropout(head_);
  if (device_.is_cpu()) return;
  backbone_.module().to(device_);
  head_.to(device_);
}

std::vector<std::string> Network::head_parameters() const {
  std::vector<std::string> names;
  for (const auto& parameter : head_.named_parameters()) names.push_back(parameter.name);
  return names;
}

void Network::select(const TrainSelection& selection, BatchNormStatistics statistics) {
  selection_ = selection;
  statistics_ = statistics;
  boundary_ = backbone_.boundary_below(selection.backbone);
  apply_selection(backbone_.module(), selection_.backbone, statistics_);
  apply_selection(head_, selection_.head,
                  selection_.head.empty() ? BatchNormStatistics::kFrozen : BatchNormStatistics::kUpdate);
  training_ = in_training_mode(backbone_.module());
  std::ranges::move(in_training_mode(head_), std::back_inserter(training_));
}

void Network::eval() { set_modes(false); }
void Network::train() { set_modes(true); }

void Network::set_modes(bool training) {
  for (auto& module : training_) module.setattr("training", training);
}

void Network::compute_in(StepFormat format) {
  format_ = format;
  for (const auto& [name, parameter] : backbone_.parameters())
    if (parameter.dim() == 4) parameter.set_data(parameter.detach().contiguous(layout()));
}

at::MemoryFormat Network::layout() const {
  return format_ == StepFormat::kPlain ? at::MemoryFormat::Contiguous : at::MemoryFormat::ChannelsLast;
}

at::Tensor Network::features(at::Tensor activations) {
  activations = activations.to(device_);
  if (boundary_ == backbone_.last_boundary()) return activations;
  std::optional<Bfloat16Scope> bfloat16;
  if (format_ == StepFormat::kBfloat16) bfloat16.emplace();
  if (activations.dim() == 4) activations = activations.contiguous(layout());
  return backbone_.part(boundary_, backbone_.last_boundary())({activations}).toTensor().to(at::kFloat);
}

at::Tensor Network::logits(at::Tensor activations) {
  return head_.forward({features(std::move(activations))}).toTensor();
}

std::map<std::string, at::Tensor> Network::moving_buffers() const {
  std::map<std::string, at::Tensor> buffers;
  if (!selection_.head.empty())
    for (const auto& buffer : head_.named_buffers()) buffers["head." + buffer.name] = buffer.value;
  if (statistics_ == BatchNormStatistics::kUpdate)
    for (const auto& buffer : backbone_.module().named_buffers()) buffers["backbone." + buffer.name] = buffer.value;
  return buffers;
}

std::vector<ParameterGroup> Network::parameter_groups(double layer_lr_decay) const {
  std::map<std::string, double> scales;
  const auto& stages = backbone_.stages();
  for (std::size_t i = 0; i < stages.size(); ++i)
    for (const auto& parameter : stages[i].parameters)
      scales[parameter] = stage_scale(layer_lr_decay, i, stages.size());
  GroupBuilder builder;
  for (const auto& parameter : head_.named_parameters())
    if (parameter.value.requires_grad()) builder.add("head." + parameter.name, parameter.value, 1);
  for (const auto& [name, parameter] : backbone_.parameters()) {
    const auto scale = scales.find(name);
    if (parameter.requires_grad())
      builder.add("backbone." + name, parameter, scale == scales.end() ? 1 : scale->second);
  }
  return std::move(builder.groups);
}

std::vector<std::pair<std::string, double>> Network::lr_scales(double layer_lr_decay) const {
  std::vector<std::pair<std::string, double>> scales;
  if (!selection_.head.empty()) scales.emplace_back("head", 1);
  std::set<std::string> loose = selection_.backbone;
  const auto& stages = backbone_.stages();
  for (std::size_t i = stages.size(); i-- > 0;) {
    const auto trained =
        std::erase_if(loose, [&](const std::string& name) { return contains(stages[i].parameters, name); });
    const std::string name = stages[i].name == "head" ? "backbone.head" : stages[i].name;
    if (trained > 0) scales.emplace_back(name, stage_scale(layer_lr_decay, i, stages.size()));
  }
  if (!loose.empty()) scales.emplace_back("backbone", 1);
  return scales;
}

std::int64_t Network::trained_parameters() const { return count(head_, true) + count(backbone_.module(), true); }
std::int64_t Network::frozen_parameters() const { return count(head_, false) + count(backbone_.module(), false); }

std::int64_t Network::trained_parameters(const std::vector<TrainSelection>& selections) const {
  const auto any = [&](std::set<std::string> TrainSelection::*part, const std::string& name) {
    return std::any_of(selections.begin(), selections.end(), [&](const auto& s) { return (s.*part).contains(name); });
  };
  std::int64_t total = 0;
  for (const auto& parameter : head_.named_parameters())
    if (any(&TrainSelection::head, parameter.name)) total += parameter.value.numel();
  for (const auto& [name, parameter] : backbone_.parameters())
    if (any(&TrainSelection::backbone, name)) total += parameter.numel();
  return total;
}

std::map<std::string, at::Tensor> Network::tensors(const std::vector<TrainSelection>& selections,
                                                   bool with_buffers) const {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& parameter : head_.named_parameters()) tensors["head." + parameter.name] = parameter.value;
  for (const auto& buffer : head_.named_buffers()) tensors["head." + buffer.name] = buffer.value;
  for (const auto& [name, parameter] : backbone_.parameters())
    if (std::any_of(selections.begin(), selections.end(), [&](const auto& s) { return s.backbone.contains(name); }))
      tensors["backbone." + name] = parameter;
  if (with_buffers)
    for (const auto& buffer : backbone_.module().named_buffers()) tensors["backbone." + buffer.name] = buffer.value;
  return tensors;
}

std::map<std::string, at::Tensor> copy_tensors(const std::map<std::string, at::Tensor>& tensors) {
  std::map<std::string, at::Tensor> copies;
  for (const auto& [name, tensor] : tensors)
    copies[name] = tensor.detach().to(at::kCPU, tensor.scalar_type(), false, true);
  return copies;
}

void restore_tensors(const std::map<std::string, at::Tensor>& into, const std::map<std::string, at::Tensor>& values,
                     const std::string& subject) {
  torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : into) {
    const auto value = values.find(name);
    if (value == values.end() || value->second.sizes() != tensor.sizes())
      throw Error({subject, "tensor '" + name + "' is missing or has another shape", "the tensors of this run",
                   "was the recipe or the backbone changed?"});
    tensor.copy_(value->second);
  }
}

}  // namespace graft
