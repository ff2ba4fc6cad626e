#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "graft/optim/optimizer.h"

namespace graft {

/// How a step changes parameters. A rule keeps nothing itself: its slots lie with the Optimizer, by parameter name, so
/// that one rule may be wrapped round another.
class UpdateRule {
 public:
  /// One tensor that a rule keeps for every parameter.
  struct Slot {
    /// kScalar: float32 beside the parameter; kHostScalar: float32 on the CPU, for a number that the rule reads.
    enum class Shape { kParameter, kScalar, kHostScalar };
    std::string name;
    Shape shape = Shape::kParameter;
    double initial = 0;
  };

  /// Parameters of one group, device, type and age, with what belongs to each.
  struct Batch {
    std::vector<at::Tensor> parameters;
    std::vector<at::Tensor> gradients;           ///< laid out like their parameters; to be left as they are
    std::vector<std::vector<at::Tensor>> slots;  ///< [slot][parameter]; none where keeps_state() says no
    bool fresh = false;                          ///< the slots were made for this very step
    double lr = 0;                               ///< the group's own
    bool weight_decay = true;
    std::optional<double> momentum;  ///< see StepSettings

    /// Gradients with the decay of an L2 penalty: gradient + weight_decay * parameter where the group decays.
    std::vector<at::Tensor> decayed_gradients(double weight_decay) const;
    /// Decoupled decay (Loshchilov and Hutter 2019): parameter * (1 - lr * weight_decay) where the group decays.
    void decay_parameters(double weight_decay);
    /// Adds one to a slot of shape kHostScalar; gives each parameter's count.
    std::vector<double> count_step(std::size_t slot);
  };

  virtual ~UpdateRule() = default;

  /// What the rule keeps for a parameter, in the order in which Batch has it.
  virtual std::vector<Slot> slots() const = 0;
  /// Whether a step under these settings reads or writes the slots.
  virtual bool keeps_state(const StepSettings&) const { return true; }
  /// Updates the parameters and slots of one batch in place, without autograd.
  virtual void update(Batch& batch) const = 0;

  /// Whether a step takes its gradient elsewhere than where the parameters stand.
  virtual bool ascends() const { return false; }
  /// How far from there, by all parameters and their gradients; not empty.
  virtual std::vector<at::Tensor> ascent(const std::vector<at::Tensor>& /*parameters*/,
                                         const std::vector<at::Tensor>& /*gradients*/) const {
    return {};
  }
};

}  // namespace graft
