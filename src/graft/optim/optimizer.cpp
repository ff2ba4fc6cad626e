#include "graft/optim/optimizer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "graft/core/names.h"
#include "graft/optim/update_rule.h"

namespace graft {
namespace {

std::string described(const at::Tensor& tensor) {
  std::ostringstream out;
  out << tensor.scalar_type() << ' ' << tensor.sizes();
  return out.str();
}

/// The fused kernels walk parameter, gradient and state by address, so all of them need one layout.
at::Tensor laid_out_like(const at::Tensor& tensor, const at::Tensor& parameter) {
  return tensor.strides() == parameter.strides() ? tensor : at::empty_like(parameter).copy_(tensor);
}

}  // namespace

Optimizer::Optimizer(std::vector<ParameterGroup> groups, std::unique_ptr<UpdateRule> rule)
    : groups_(std::move(groups)), rule_(std::move(rule)) {
  std::set<std::string> names;
  std::set<const void*> tensors;
  for (const auto& group : groups_) {
    TORCH_CHECK(group.names.size() == group.parameters.size(), "one name for each parameter");
    for (std::size_t i = 0; i < group.names.size(); ++i) {
      const at::Tensor& parameter = group.parameters[i];
      TORCH_CHECK(names.insert(group.names[i]).second, group.names[i], " stands in two places");
      TORCH_CHECK(tensors.insert(parameter.unsafeGetTensorImpl()).second, group.names[i], " has a second name");
      TORCH_CHECK(parameter.is_floating_point() && parameter.is_non_overlapping_and_dense(), group.names[i],
                  " is not a dense floating-point tensor");
    }
  }
}

Optimizer::~Optimizer() = default;

bool Optimizer::ascends() const { return rule_->ascends(); }

void Optimizer::ascend() {
  TORCH_CHECK(ascends() && ascended_.empty(), "a step ascends once, and where its rule says so");
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> parameters, gradients;
  for (const auto& group : groups_)
    for (const auto& parameter : group.parameters)
      if (parameter.grad().defined()) parameters.push_back(parameter), gradients.push_back(parameter.grad());
  if (parameters.empty()) return;
  const auto moves = rule_->ascent(parameters, gradients);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    ascended_.emplace_back(parameters[i], parameters[i].clone());
    parameters[i].add_(moves[i]);
  }
}

void Optimizer::step(const StepSettings& settings) {
  const at::NoGradGuard no_grad;
  for (auto& [parameter, stood] : ascended_) parameter.copy_(stood);
  ascended_.clear();
  for (const auto& group : groups_) step_group(group, settings);
}

void Optimizer::step_group(const ParameterGroup& group, const StepSettings& settings) {
  using Batch = UpdateRule::Batch;
  const std::size_t slot_count = rule_->keeps_state(settings) ? rule_->slots().size() : 0;
  std::vector<Batch> batches;
  for (std::size_t i = 0; i < group.parameters.size(); ++i) {
    const at::Tensor& parameter = group.parameters[i];
    const at::Tensor& gradient = parameter.grad();
    if (!gradient.defined()) continue;
    TORCH_CHECK(gradient.layout() == at::kStrided, group.names[i], " has a sparse gradient");
    const bool fresh = slot_count > 0 && !state_.contains(group.names[i]);
    if (fresh) state_[group.names[i]] = new_slots(parameter);

    auto batch = std::find_if(batches.begin(), batches.end(), [&](const Batch& other) {
      const at::Tensor& first = other.parameters.front();
      return first.device() == parameter.device() && first.scalar_type() == parameter.scalar_type() &&
             other.fresh == fresh;
    });
    if (batch == batches.end()) {
      batches.emplace_back();
      batch = std::prev(batches.end());
      batch->slots.resize(slot_count);
      batch->fresh = fresh;
      batch->lr = settings.lr * group.lr_scale;
      batch->weight_decay = group.weight_decay;
      batch->momentum = settings.momentum;
    }
    batch->parameters.push_back(parameter);
    batch->gradients.push_back(laid_out_like(gradient, parameter));
    for (std::size_t slot = 0; slot < slot_count; ++slot) batch->slots[slot].push_back(state_.at(group.names[i])[slot]);
  }
  for (auto& batch : batches) rule_->update(batch);
}

std::vector<at::Tensor> Optimizer::new_slots(const at::Tensor& parameter) const {
  using Shape = UpdateRule::Slot::Shape;
  std::vector<at::Tensor> tensors;
  for (const auto& slot : rule_->slots()) {
    if (slot.shape == Shape::kParameter)
      tensors.push_back(at::full_like(parameter, slot.initial));
    else
      tensors.push_back(
          at::full({}, slot.initial,
                   parameter.options()
                       .dtype(at::kFloat)
                       .device(slot.shape == Shape::kScalar ? parameter.device() : c10::Device(at::kCPU))));
  }
  return tensors;
}

void Optimizer::zero_grad() {
  for (const auto& group : groups_)
    for (const auto& parameter : group.parameters) parameter.mutable_grad().reset();
}

std::map<std::string, at::Tensor> Optimizer::state() const {
  const auto kinds = rule_->slots();
  std::map<std::string, at::Tensor> state;
  for (const auto& [name, tensors] : state_)
    for (std::size_t slot = 0; slot < kinds.size(); ++slot) state[name + "/" + kinds[slot].name] = tensors[slot];
  return state;
}

void Optimizer::load_state(const std::map<std::string, at::Tensor>& state) {
  const at::NoGradGuard no_grad;
  const auto kinds = rule_->slots();
  std::vector<std::string> names;
  std::set<std::string> known;
  State loaded;
  for (const auto& group : groups_) {
    for (std::size_t i = 0; i < group.names.size(); ++i) {
      names.push_back(group.names[i]);
      std::vector<at::Tensor> tensors = new_slots(group.parameters[i]);
      std::size_t found_count = 0;
      for (std::size_t slot = 0; slot < kinds.size(); ++slot) {
        const std::string key = group.names[i] + "/" + kinds[slot].name;
        known.insert(key);
        const auto found = state.find(key);
        if (found == state.end()) continue;
        const at::Tensor& tensor = found->second;
        if (tensor.sizes() != tensors[slot].sizes() || tensor.scalar_type() != tensors[slot].scalar_type())
          throw Error({"optimizer state '" + key + "'", "is " + described(tensor), described(tensors[slot]),
                       "was the checkpoint made with another model?"});
        tensors[slot].copy_(tensor);
        ++found_count;
      }
      if (found_count != 0 && found_count != kinds.size())
        throw Error({"optimizer state of '" + group.names[i] + "'", "is incomplete",
                     "all " + std::to_string(kinds.size()) + " of its tensors",
                     "was the checkpoint made with other optimizer options?"});
      if (found_count != 0) loaded[group.names[i]] = std::move(tensors);
    }
  }
  for (const auto& [key, ignored] : state)
    if (!known.contains(key))
      throw Error({"optimizer state '" + key + "'", "belongs to no parameter and rule of this optimizer", "",
                   did_you_mean(key.substr(0, key.rfind('/')), names)});
  state_ = std::move(loaded);
}

}  // namespace graft
