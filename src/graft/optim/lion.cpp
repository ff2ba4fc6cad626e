#include <ATen/ATen.h>

#include "graft/optim/optimizer_rules.h"

namespace graft {
namespace {

class Lion final : public UpdateRule {
 public:
  explicit Lion(const Json& options)
      : betas_(options.at("betas").get<std::array<double, 2>>()),
        weight_decay_(options.at("weight_decay").get<double>()) {}

  static Json read_options(JsonReader& reader) {
    Json options;
    read_lr(reader, options, 1e-4);
    read_betas(reader, options, {0.9, 0.99});
    read_weight_decay(reader, options, 0);
    return options;
  }

  std::vector<Slot> slots() const override { return {{"exp_avg"}}; }
  void update(Batch& batch) const override {
    batch.decay_parameters(weight_decay_);
    auto directions = at::_foreach_lerp(batch.slots[0], batch.gradients, 1 - batch.momentum.value_or(betas_[0]));
    at::_foreach_sign_(directions);
    at::_foreach_add_(batch.parameters, directions, -batch.lr);
    at::_foreach_lerp_(batch.slots[0], batch.gradients, 1 - betas_[1]);
  }

 private:
  std::array<double, 2> betas_;
  double weight_decay_;
};

}  // namespace

OptimizerRow lion_row() { return optimizer_row<Lion>("lion"); }

}  // namespace graft
