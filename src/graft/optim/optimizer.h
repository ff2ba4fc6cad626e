#pragma once
#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graft/core/json.h"

namespace graft {

/// The recipe's "optimizer": one name of the table with its options, {"adamw": {"lr": 0.003, "weight_decay": 0.01}}.
/// Option names and defaults are torch.optim's: sgd {lr 1e-3, momentum 0, dampening 0, weight_decay 0, nesterov false},
/// adamw {lr 1e-3, betas [0.9, 0.999], eps 1e-8, weight_decay 0.01, amsgrad false}.
/// Rules: Sutskever et al. 2013 (sgd, PyTorch's form), Loshchilov and Hutter 2019 (adamw), Reddi et al. 2018 (amsgrad).
struct OptimizerSpec {
  std::string name = "adamw";
  Json options = Json::object();  ///< as read: every option; by hand: some may be left out
  double lr() const;
};
OptimizerSpec read_optimizer_spec(const Json& value, const std::string& path, std::vector<Problem>& problems);
Json to_json(const OptimizerSpec& spec);

/// Parameters that share a learning rate. `names` and `parameters` go together; names key the optimizer's state.
struct ParameterGroup {
  std::vector<std::string> names;
  std::vector<at::Tensor> parameters;
  double lr_scale = 1;       ///< times the scheduled learning rate (discriminative learning rates)
  bool weight_decay = true;  ///< false: no weight decay in this group (biases, BatchNorm)
};

/// What a schedule decides before every step.
struct StepSettings {
  double lr = 0;  ///< before a group's lr_scale
  /// Momentum (sgd) or beta1 (adamw) instead of the option's, where a schedule cycles it.
  std::optional<double> momentum;
};

/// One update rule over its parameter groups. State is keyed by parameter name, made at a parameter's first gradient
/// and laid out like the parameter. Parameters of one optimizer may differ in device and type.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Updates every parameter that has a gradient; others, and their state, are left alone. Gradients are kept.
  void step(const StepSettings& settings);
  /// Sets all gradients to undefined.
  void zero_grad();
  /// "NAME/exp_avg" -> tensor, for a checkpoint. The tensors are the live ones.
  std::map<std::string, at::Tensor> state() const;
  /// Replaces the whole state by a copy of `state`; a parameter that `state` does not name starts afresh.
  /// @throws Error when a name is unknown or a slot is missing, or a shape or type differs; nothing is changed then.
  void load_state(const std::map<std::string, at::Tensor>& state);

  const std::vector<ParameterGroup>& groups() const { return groups_; }

 protected:
  /// One tensor that a rule keeps for every parameter.
  struct Slot {
    enum class Shape { kParameter, kScalar };
    std::string name;
    Shape shape = Shape::kParameter;  ///< kScalar: float32, a count of steps
  };

  /// Parameters of one group, device, type and age, with what belongs to each.
  struct Batch {
    std::vector<at::Tensor> parameters;
    std::vector<at::Tensor> gradients;           ///< laid out like their parameters
    std::vector<std::vector<at::Tensor>> slots;  ///< [slot][parameter]; none where keeps_state() says no
    bool fresh = false;                          ///< the slots were made, and filled with zeros, for this very step
    double lr = 0;                               ///< the group's own
    bool weight_decay = true;
    std::optional<double> momentum;  ///< see StepSettings
  };

  explicit Optimizer(std::vector<ParameterGroup> groups);

  /// What the rule keeps for a parameter, in the order in which Batch has it.
  virtual std::vector<Slot> slots() const = 0;
  /// Whether a step under these settings reads or writes the slots.
  virtual bool keeps_state(const StepSettings&) const { return true; }
  /// Updates the parameters and slots of one batch in place, without autograd.
  virtual void update(Batch& batch) = 0;

 private:
  using State = std::map<std::string, std::vector<at::Tensor>>;  // parameter name -> its slots

  std::vector<Batch> batches(const ParameterGroup& group, const StepSettings& settings);
  std::vector<at::Tensor> new_slots(const at::Tensor& parameter) const;

  std::vector<ParameterGroup> groups_;
  State state_;
};

std::unique_ptr<Optimizer> make_optimizer(const OptimizerSpec& spec, std::vector<ParameterGroup> groups);

}  // namespace graft
