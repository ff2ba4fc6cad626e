#include <ATen/ATen.h>

#include <cmath>

#include "graft/optim/optimizer_rules.h"

namespace graft {
namespace {

enum class Decay { kInGradient, kDecoupled };

struct AdamDefaults {
  double lr = 1e-3;
  double weight_decay = 0;
};

Json read_adam_options(JsonReader& reader, const AdamDefaults& defaults) {
  Json options;
  read_lr(reader, options, defaults.lr);
  read_betas(reader, options, {0.9, 0.999});
  read_eps(reader, options, 1e-8);
  read_weight_decay(reader, options, defaults.weight_decay);
  return options;
}

void read_decay(JsonReader& reader, Json& options) {
  options["decoupled_weight_decay"] = reader.boolean("decoupled_weight_decay", false);
}

Decay decay_of(const Json& options) {
  return options.at("decoupled_weight_decay").get<bool>() ? Decay::kDecoupled : Decay::kInGradient;
}

/// What Adam and its kin share: two decaying averages of the gradient and a count of steps for their bias.
class AdamKin : public UpdateRule {
 protected:
  explicit AdamKin(const Json& options)
      : betas_(options.at("betas").get<std::array<double, 2>>()),
        eps_(options.at("eps").get<double>()),
        weight_decay_(options.at("weight_decay").get<double>()) {}

  double beta1(const Batch& batch) const { return batch.momentum.value_or(betas_[0]); }
  double beta2() const { return betas_[1]; }

  /// Applies the weight decay; gives the gradients that the averages see.
  std::vector<at::Tensor> decayed(Batch& batch, Decay decay) const {
    if (decay == Decay::kInGradient) return batch.decayed_gradients(weight_decay_);
    batch.decay_parameters(weight_decay_);
    return batch.gradients;
  }
  /// exp_avg follows the gradient, exp_avg_sq its square.
  void follow(Batch& batch, const std::vector<at::Tensor>& gradients, std::size_t exp_avg) const {
    at::_foreach_lerp_(batch.slots[exp_avg], gradients, 1 - beta1(batch));
    at::_foreach_mul_(batch.slots[exp_avg + 1], beta2());
    at::_foreach_addcmul_(batch.slots[exp_avg + 1], gradients, gradients, 1 - beta2());
  }

  std::array<double, 2> betas_;
  double eps_;
  double weight_decay_;
};

/// Adam and AdamW, by LibTorch's fused kernels.
template <Decay kDecay>
class Adam final : public AdamKin {
 public:
  explicit Adam(const Json& options) : AdamKin(options), amsgrad_(options.at("amsgrad").get<bool>()) {}

  static Json read_options(JsonReader& reader) {
    Json options = read_adam_options(reader, {.weight_decay = kDecay == Decay::kDecoupled ? 0.01 : 0});
    options["amsgrad"] = reader.boolean("amsgrad", false);
    return options;
  }

  std::vector<Slot> slots() const override {
    std::vector<Slot> slots{{"step", Slot::Shape::kScalar}, {"exp_avg"}, {"exp_avg_sq"}};
    if (amsgrad_) slots.push_back({"max_exp_avg_sq"});
    return slots;
  }
  void update(Batch& batch) const override {
    const std::vector<at::Tensor> none;
    at::_foreach_add_(batch.slots[0], 1);
    kKernel(batch.parameters, batch.gradients, batch.slots[1], batch.slots[2], amsgrad_ ? batch.slots[3] : none,
            batch.slots[0], batch.lr, beta1(batch), beta2(), batch.weight_decay ? weight_decay_ : 0, eps_, amsgrad_,
            /*maximize=*/false, {}, {});
  }

 private:
  using Kernel = void (*)(at::TensorList, at::TensorList, at::TensorList, at::TensorList, at::TensorList,
                          at::TensorList, double, double, double, double, double, bool, bool,
                          const std::optional<at::Tensor>&, const std::optional<at::Tensor>&);
  static constexpr Kernel kCoupled = at::_fused_adam_;
  static constexpr Kernel kDecoupled = at::_fused_adamw_;
  static constexpr Kernel kKernel = kDecay == Decay::kDecoupled ? kDecoupled : kCoupled;

  bool amsgrad_;
};

class NAdam final : public AdamKin {
 public:
  explicit NAdam(const Json& options)
      : AdamKin(options), momentum_decay_(options.at("momentum_decay").get<double>()), decay_(decay_of(options)) {}

  static Json read_options(JsonReader& reader) {
    Json options = read_adam_options(reader, {.lr = 2e-3});
    options["momentum_decay"] = reader.number("momentum_decay", 4e-3, Range::at_least(0));
    read_decay(reader, options);
    return options;
  }

  std::vector<Slot> slots() const override {
    return {
        {"step", Slot::Shape::kHostScalar}, {"mu_product", Slot::Shape::kHostScalar, 1}, {"exp_avg"}, {"exp_avg_sq"}};
  }
  void update(Batch& batch) const override {
    const auto gradients = decayed(batch, decay_);
    follow(batch, gradients, 2);
    std::vector<at::Scalar> bias, of_gradient, of_average;
    const auto counts = batch.count_step(0);
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const double mu = momentum(batch, counts[i]), next = momentum(batch, counts[i] + 1);
      const double product = batch.slots[1][i].mul_(mu).item<double>();
      bias.emplace_back(1 - std::pow(beta2(), counts[i]));
      of_gradient.emplace_back(-batch.lr * (1 - mu) / (1 - product));
      of_average.emplace_back(-batch.lr * next / (1 - product * next));
    }
    auto denominators = at::_foreach_div(batch.slots[3], bias);
    at::_foreach_sqrt_(denominators);
    at::_foreach_add_(denominators, eps_);
    at::_foreach_addcdiv_(batch.parameters, gradients, denominators, of_gradient);
    at::_foreach_addcdiv_(batch.parameters, batch.slots[2], denominators, of_average);
  }

 private:
  double momentum(const Batch& batch, double step) const {
    return beta1(batch) * (1 - 0.5 * std::pow(0.96, step * momentum_decay_));
  }

  double momentum_decay_;
  Decay decay_;
};

class RAdam final : public AdamKin {
 public:
  explicit RAdam(const Json& options) : AdamKin(options), decay_(decay_of(options)) {}

  static Json read_options(JsonReader& reader) {
    Json options = read_adam_options(reader, {});
    read_decay(reader, options);
    return options;
  }

  std::vector<Slot> slots() const override { return {{"step", Slot::Shape::kHostScalar}, {"exp_avg"}, {"exp_avg_sq"}}; }
  void update(Batch& batch) const override {
    follow(batch, decayed(batch, decay_), 1);
    std::vector<at::Scalar> adaptive, plain;
    for (const double step : batch.count_step(0)) {
      const double bias2 = 1 - std::pow(beta2(), step);
      const double lr = -batch.lr / (1 - std::pow(beta1(batch), step));
      const double certain = rectification(step, bias2);
      adaptive.emplace_back(lr * certain * std::sqrt(bias2));
      plain.emplace_back(certain > 0 ? 0 : lr);
    }
    auto rates = at::_foreach_sqrt(batch.slots[2]);
    at::_foreach_add_(rates, eps_);
    at::_foreach_reciprocal_(rates);
    at::_foreach_mul_(rates, adaptive);
    at::_foreach_add_(rates, plain);
    at::_foreach_addcmul_(batch.parameters, batch.slots[1], rates);
  }

 private:
  /// 0 while too few steps stand behind the second moment to divide by it.
  double rectification(double step, double bias2) const {
    const double most = 2 / (1 - beta2()) - 1;
    const double length = most - 2 * step * (1 - bias2) / bias2;
    if (length <= 5) return 0;
    return std::sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length));
  }

  Decay decay_;
};

class Adamax final : public AdamKin {
 public:
  explicit Adamax(const Json& options) : AdamKin(options) {}

  static Json read_options(JsonReader& reader) { return read_adam_options(reader, {.lr = 2e-3}); }

  std::vector<Slot> slots() const override { return {{"step", Slot::Shape::kHostScalar}, {"exp_avg"}, {"exp_inf"}}; }
  void update(Batch& batch) const override {
    const auto gradients = batch.decayed_gradients(weight_decay_);
    at::_foreach_lerp_(batch.slots[1], gradients, 1 - beta1(batch));
    auto magnitudes = at::_foreach_abs(gradients);
    at::_foreach_add_(magnitudes, eps_);
    at::_foreach_mul_(batch.slots[2], beta2());
    at::_foreach_maximum_(batch.slots[2], magnitudes);
    std::vector<at::Scalar> rates;
    for (const double step : batch.count_step(0)) rates.emplace_back(-batch.lr / (1 - std::pow(beta1(batch), step)));
    at::_foreach_addcdiv_(batch.parameters, batch.slots[1], batch.slots[2], rates);
  }
};

}  // namespace

OptimizerRow adam_row() { return optimizer_row<Adam<Decay::kInGradient>>("adam"); }
OptimizerRow adamw_row() { return optimizer_row<Adam<Decay::kDecoupled>>("adamw"); }
OptimizerRow nadam_row() { return optimizer_row<NAdam>("nadam"); }
OptimizerRow radam_row() { return optimizer_row<RAdam>("radam"); }
OptimizerRow adamax_row() { return optimizer_row<Adamax>("adamax"); }

}  // namespace graft
