#include <ATen/ATen.h>

#include "graft/optim/optimizer_rules.h"

namespace graft {
namespace {

class Sgd final : public UpdateRule {
 public:
  explicit Sgd(const Json& options)
      : momentum_(options.at("momentum").get<double>()),
        dampening_(options.at("dampening").get<double>()),
        weight_decay_(options.at("weight_decay").get<double>()),
        nesterov_(options.at("nesterov").get<bool>()) {}

  static Json read_options(JsonReader& reader) {
    Json options;
    read_lr(reader, options, 1e-3);
    options["momentum"] = reader.number("momentum", 0, kBelowOne);
    options["dampening"] = reader.number("dampening", 0, Range::between(0, 1));
    read_weight_decay(reader, options, 0);
    options["nesterov"] = reader.boolean("nesterov", false);
    if (options["nesterov"].get<bool>() && (options["momentum"] == 0.0 || options["dampening"] != 0.0))
      reader.problem("nesterov", "is true", "a momentum above 0 and a dampening of 0 beside it",
                     "set momentum, such as 0.9, or leave nesterov out");
    return options;
  }

  std::vector<Slot> slots() const override { return {{"momentum_buffer"}}; }
  bool keeps_state(const StepSettings& settings) const override { return settings.momentum.value_or(momentum_) != 0; }
  void update(Batch& batch) const override {
    const std::vector<at::Tensor> none;
    at::_fused_sgd_(batch.parameters, batch.gradients, batch.slots.empty() ? none : batch.slots[0],
                    batch.weight_decay ? weight_decay_ : 0, batch.momentum.value_or(momentum_), batch.lr, dampening_,
                    nesterov_, /*maximize=*/false, batch.fresh);
  }

 private:
  double momentum_;
  double dampening_;
  double weight_decay_;
  bool nesterov_;
};

}  // namespace

OptimizerRow sgd_row() { return optimizer_row<Sgd>("sgd"); }

}  // namespace graft
