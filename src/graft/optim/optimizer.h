#pragma once
#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/json.h"

namespace graft {

/// The recipe's "optimizer": one name of the table with its options, {"adamw": {"lr": 0.003, "weight_decay": 0.01}}.
/// Names, options and defaults are torch.optim's (lion and lookahead: timm.optim's); docs/recipe.md lists them with
/// their sources. lookahead and sam hold another in their "optimizer".
struct OptimizerSpec {
  std::string name = "adamw";
  Json options = Json::object();  ///< as read: every option; by hand: some may be left out
  double lr() const;              ///< of lookahead and sam: their inner rule's; 1 where there is none
  bool has_momentum() const;      ///< a momentum or a beta1, which a schedule may cycle
  bool full_batch() const;  ///< lbfgs, newton_cg, …: minimises over all images at once (minimum.h), takes no steps
};
/// In the table's order.
const std::vector<std::string>& optimizer_names();
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
  /// Momentum, or beta1 where the rule has betas, instead of the option's, where a schedule cycles it.
  std::optional<double> momentum;
};

class UpdateRule;

/// One update rule over its parameter groups. State is keyed by parameter name, made at a parameter's first gradient
/// and laid out like the parameter. Parameters of one optimizer may differ in device and type.
class Optimizer {
 public:
  Optimizer(std::vector<ParameterGroup> groups, std::unique_ptr<UpdateRule> rule);
  ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Whether a step takes two gradients (sam): one where the parameters stand, then, after `ascend`, the one that it
  /// steps by.
  bool ascends() const;
  /// Moves the parameters that have a gradient to where the step's own is to be taken.
  void ascend();
  /// Updates every parameter that has a gradient, put back where it stood before `ascend`; others, and their state, are
  /// left alone. Gradients are kept.
  void step(const StepSettings& settings);
  /// Sets all gradients to undefined.
  void zero_grad();
  /// "NAME/exp_avg" -> tensor, for a checkpoint. The tensors are the live ones.
  std::map<std::string, at::Tensor> state() const;
  /// Replaces the whole state by a copy of `state`; a parameter that `state` does not name starts afresh.
  /// @throws Error when a name is unknown or a slot is missing, or a shape or type differs; nothing is changed then.
  void load_state(const std::map<std::string, at::Tensor>& state);

  const std::vector<ParameterGroup>& groups() const { return groups_; }

 private:
  using State = std::map<std::string, std::vector<at::Tensor>>;  // parameter name -> its slots

  std::vector<at::Tensor> new_slots(const at::Tensor& parameter) const;
  void step_group(const ParameterGroup& group, const StepSettings& settings);

  std::vector<ParameterGroup> groups_;
  std::unique_ptr<UpdateRule> rule_;
  State state_;
  std::vector<std::pair<at::Tensor, at::Tensor>> ascended_;  // parameters, and where they stood
};

std::unique_ptr<Optimizer> make_optimizer(const OptimizerSpec& spec, std::vector<ParameterGroup> groups);

}  // namespace graft
