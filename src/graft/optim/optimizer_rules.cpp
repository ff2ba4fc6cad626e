#include <ATen/ATen.h>

#include <array>

#include "graft/core/option_table.h"
#include "graft/optim/optimizer.h"

namespace graft {
namespace {

const Range kBelowOne{.low = 0, .high = 1, .high_open = true};

class Sgd final : public Optimizer {
 public:
  Sgd(std::vector<ParameterGroup> groups, const Json& options)
      : Optimizer(std::move(groups)),
        momentum_(options.at("momentum").get<double>()),
        dampening_(options.at("dampening").get<double>()),
        weight_decay_(options.at("weight_decay").get<double>()),
        nesterov_(options.at("nesterov").get<bool>()) {}

  static Json read_options(JsonReader& reader) {
    Json options;
    options["lr"] = reader.number("lr", 1e-3, Range::above(0));
    options["momentum"] = reader.number("momentum", 0, kBelowOne);
    options["dampening"] = reader.number("dampening", 0, Range::between(0, 1));
    options["weight_decay"] = reader.number("weight_decay", 0, Range::at_least(0));
    options["nesterov"] = reader.boolean("nesterov", false);
    if (options["nesterov"].get<bool>() && (options["momentum"] == 0.0 || options["dampening"] != 0.0))
      reader.problem("nesterov", "is true", "a momentum above 0 and a dampening of 0 beside it",
                     "set momentum, such as 0.9, or leave nesterov out");
    return options;
  }

 private:
  std::vector<Slot> slots() const override { return {{"momentum_buffer"}}; }
  bool keeps_state(const StepSettings& settings) const override { return settings.momentum.value_or(momentum_) != 0; }
  void update(Batch& batch) override {
    const std::vector<at::Tensor> none;
    at::_fused_sgd_(batch.parameters, batch.gradients, batch.slots.empty() ? none : batch.slots[0],
                    batch.weight_decay ? weight_decay_ : 0, batch.momentum.value_or(momentum_), batch.lr, dampening_,
                    nesterov_, /*maximize=*/false, batch.fresh);
  }

  double momentum_;
  double dampening_;
  double weight_decay_;
  bool nesterov_;
};

class AdamW final : public Optimizer {
 public:
  AdamW(std::vector<ParameterGroup> groups, const Json& options)
      : Optimizer(std::move(groups)),
        betas_(options.at("betas").get<std::array<double, 2>>()),
        eps_(options.at("eps").get<double>()),
        weight_decay_(options.at("weight_decay").get<double>()),
        amsgrad_(options.at("amsgrad").get<bool>()) {}

  static Json read_options(JsonReader& reader) {
    Json options;
    options["lr"] = reader.number("lr", 1e-3, Range::above(0));
    options["betas"] = reader.numbers("betas", {0.9, 0.999}, kBelowOne);
    options["eps"] = reader.number("eps", 1e-8, Range::above(0));
    options["weight_decay"] = reader.number("weight_decay", 0.01, Range::at_least(0));
    options["amsgrad"] = reader.boolean("amsgrad", false);
    return options;
  }

 private:
  std::vector<Slot> slots() const override {
    std::vector<Slot> slots{{"step", Slot::Shape::kScalar}, {"exp_avg"}, {"exp_avg_sq"}};
    if (amsgrad_) slots.push_back({"max_exp_avg_sq"});
    return slots;
  }
  void update(Batch& batch) override {
    const std::vector<at::Tensor> none;
    at::_foreach_add_(batch.slots[0], 1);
    at::_fused_adamw_(batch.parameters, batch.gradients, batch.slots[1], batch.slots[2],
                      amsgrad_ ? batch.slots[3] : none, batch.slots[0], batch.lr, batch.momentum.value_or(betas_[0]),
                      betas_[1], batch.weight_decay ? weight_decay_ : 0, eps_, amsgrad_, /*maximize=*/false);
  }

  std::array<double, 2> betas_;
  double eps_;
  double weight_decay_;
  bool amsgrad_;
};

struct Rule {
  std::string name;
  Json (*read_options)(JsonReader& reader);
  std::unique_ptr<Optimizer> (*make)(std::vector<ParameterGroup> groups, const Json& options);
};

template <typename T>
Rule rule(std::string name) {
  return {std::move(name), &T::read_options,
          [](std::vector<ParameterGroup> groups, const Json& options) -> std::unique_ptr<Optimizer> {
            return std::make_unique<T>(std::move(groups), options);
          }};
}

const OptionTable<Rule>& rules() {
  static const OptionTable<Rule> kRules({rule<Sgd>("sgd"), rule<AdamW>("adamw")});
  return kRules;
}

}  // namespace

double OptimizerSpec::lr() const { return rules().complete(*this).at("lr").get<double>(); }

OptimizerSpec read_optimizer_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  return rules().read<OptimizerSpec>(value, path, problems);
}

Json to_json(const OptimizerSpec& spec) { return Json{{spec.name, rules().complete(spec)}}; }

std::unique_ptr<Optimizer> make_optimizer(const OptimizerSpec& spec, std::vector<ParameterGroup> groups) {
  return rules().at(spec.name).make(std::move(groups), rules().complete(spec));
}

}  // namespace graft
