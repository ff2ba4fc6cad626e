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
struct OptimizerSpec {
  std::string name = "adamw";
  Json options = Json::object();  ///< every option, defaults filled in
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
  std::optional<double>
      momentum;  ///< momentum (sgd) or beta1 (adamw) instead of the option's, where a schedule cycles it
};

/// One update rule over its parameter groups. State is keyed by parameter name.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// Updates every parameter that has a gradient; others, and their state, are left alone. Gradients are kept.
  void step(const StepSettings& settings);
  /// Sets all gradients to undefined.
  void zero_grad();
  /// "NAME/exp_avg" -> tensor, for a checkpoint. The tensors are the live ones.
  std::map<std::string, at::Tensor> state() const;
  /// @throws Error when a name is unknown or a shape differs.
  void load_state(const std::map<std::string, at::Tensor>& state);

  const std::vector<ParameterGroup>& groups() const { return groups_; }

 protected:
  explicit Optimizer(std::vector<ParameterGroup> groups);

  std::vector<ParameterGroup> groups_;
  // The implementer decides the rest: one virtual per rule, such as
  // update(group members with gradients, their state, settings), and the slots of state it needs.
};

std::unique_ptr<Optimizer> make_optimizer(const OptimizerSpec& spec, std::vector<ParameterGroup> groups);

}  // namespace graft
