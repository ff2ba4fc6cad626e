#include <ATen/ATen.h>

#include "graft/optim/optimizer_rules.h"

namespace graft {
namespace {

class Adagrad final : public UpdateRule {
 public:
  explicit Adagrad(const Json& options)
      : lr_decay_(options.at("lr_decay").get<double>()),
        weight_decay_(options.at("weight_decay").get<double>()),
        initial_(options.at("initial_accumulator_value").get<double>()),
        eps_(options.at("eps").get<double>()) {}

  static Json read_options(JsonReader& reader) {
    Json options;
    read_lr(reader, options, 1e-2);
    options["lr_decay"] = reader.number("lr_decay", 0, Range::at_least(0));
    read_weight_decay(reader, options, 0);
    options["initial_accumulator_value"] = reader.number("initial_accumulator_value", 0, Range::at_least(0));
    read_eps(reader, options, 1e-10);
    return options;
  }

  std::vector<Slot> slots() const override {
    return {{"step", Slot::Shape::kHostScalar}, {"sum", Slot::Shape::kParameter, initial_}};
  }
  void update(Batch& batch) const override {
    const auto gradients = batch.decayed_gradients(weight_decay_);
    at::_foreach_addcmul_(batch.slots[1], gradients, gradients);
    auto deviations = at::_foreach_sqrt(batch.slots[1]);
    at::_foreach_add_(deviations, eps_);
    std::vector<at::Scalar> rates;
    for (const double step : batch.count_step(0)) rates.emplace_back(-batch.lr / (1 + (step - 1) * lr_decay_));
    at::_foreach_addcdiv_(batch.parameters, gradients, deviations, rates);
  }

 private:
  double lr_decay_;
  double weight_decay_;
  double initial_;
  double eps_;
};

class RmsProp final : public UpdateRule {
 public:
  explicit RmsProp(const Json& options)
      : alpha_(options.at("alpha").get<double>()),
        eps_(options.at("eps").get<double>()),
        weight_decay_(options.at("weight_decay").get<double>()),
        momentum_(options.at("momentum").get<double>()),
        centered_(options.at("centered").get<bool>()) {}

  static Json read_options(JsonReader& reader) {
    Json options;
    read_lr(reader, options, 1e-2);
    options["alpha"] = reader.number("alpha", 0.99, kBelowOne);
    read_eps(reader, options, 1e-8);
    read_weight_decay(reader, options, 0);
    options["momentum"] = reader.number("momentum", 0, kBelowOne);
    options["centered"] = reader.boolean("centered", false);
    return options;
  }

  std::vector<Slot> slots() const override {
    // The buffer is kept without a momentum too: a schedule may bring one.
    std::vector<Slot> slots{{"square_avg"}, {"momentum_buffer"}};
    if (centered_) slots.push_back({"grad_avg"});
    return slots;
  }
  void update(Batch& batch) const override {
    const auto gradients = batch.decayed_gradients(weight_decay_);
    auto deviations = deviations_after(batch, gradients);
    const double momentum = batch.momentum.value_or(momentum_);
    if (momentum == 0) return at::_foreach_addcdiv_(batch.parameters, gradients, deviations, -batch.lr);
    at::_foreach_mul_(batch.slots[1], momentum);
    at::_foreach_addcdiv_(batch.slots[1], gradients, deviations);
    at::_foreach_add_(batch.parameters, batch.slots[1], -batch.lr);
  }

 private:
  std::vector<at::Tensor> deviations_after(Batch& batch, const std::vector<at::Tensor>& gradients) const {
    at::_foreach_mul_(batch.slots[0], alpha_);
    at::_foreach_addcmul_(batch.slots[0], gradients, gradients, 1 - alpha_);
    std::vector<at::Tensor> variances = batch.slots[0];
    if (centered_) {
      at::_foreach_lerp_(batch.slots[2], gradients, 1 - alpha_);
      variances = at::_foreach_addcmul(variances, batch.slots[2], batch.slots[2], -1);
    }
    auto deviations = at::_foreach_sqrt(variances);
    at::_foreach_add_(deviations, eps_);
    return deviations;
  }

  double alpha_;
  double eps_;
  double weight_decay_;
  double momentum_;
  bool centered_;
};

class Adadelta final : public UpdateRule {
 public:
  explicit Adadelta(const Json& options)
      : rho_(options.at("rho").get<double>()),
        eps_(options.at("eps").get<double>()),
        weight_decay_(options.at("weight_decay").get<double>()) {}

  static Json read_options(JsonReader& reader) {
    Json options;
    read_lr(reader, options, 1);
    options["rho"] = reader.number("rho", 0.9, kBelowOne);
    read_eps(reader, options, 1e-6);
    read_weight_decay(reader, options, 0);
    return options;
  }

  std::vector<Slot> slots() const override { return {{"square_avg"}, {"acc_delta"}}; }
  void update(Batch& batch) const override {
    const auto gradients = batch.decayed_gradients(weight_decay_);
    follow(batch.slots[0], gradients);
    auto deltas = root(batch.slots[1]);
    at::_foreach_div_(deltas, root(batch.slots[0]));
    at::_foreach_mul_(deltas, gradients);
    follow(batch.slots[1], deltas);
    at::_foreach_add_(batch.parameters, deltas, -batch.lr);
  }

 private:
  void follow(std::vector<at::Tensor>& averages, const std::vector<at::Tensor>& values) const {
    at::_foreach_mul_(averages, rho_);
    at::_foreach_addcmul_(averages, values, values, 1 - rho_);
  }
  std::vector<at::Tensor> root(const std::vector<at::Tensor>& averages) const {
    auto roots = at::_foreach_add(averages, eps_);
    at::_foreach_sqrt_(roots);
    return roots;
  }

  double rho_;
  double eps_;
  double weight_decay_;
};

}  // namespace

OptimizerRow adagrad_row() { return optimizer_row<Adagrad>("adagrad"); }
OptimizerRow rmsprop_row() { return optimizer_row<RmsProp>("rmsprop"); }
OptimizerRow adadelta_row() { return optimizer_row<Adadelta>("adadelta"); }

}  // namespace graft
