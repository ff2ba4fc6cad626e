#include "graft/optim/optimizer_rules.h"

#include "graft/core/names.h"
#include "graft/core/option_table.h"

namespace graft {
namespace {

const OptionTable<OptimizerRow>& optimizer_table() {
  static const OptionTable<OptimizerRow> kTable({sgd_row(), adam_row(), adamw_row(), nadam_row(), radam_row(),
                                                 adamax_row(), adagrad_row(), rmsprop_row(), adadelta_row(), lion_row(),
                                                 lookahead_row(), sam_row(), lbfgs_row(), newton_cg_row(),
                                                 gauss_newton_row(), levenberg_marquardt_row()});
  return kTable;
}

/// The options in which the learning rate stands: of a rule that is wrapped, its own.
Json stepping_options(const OptimizerSpec& spec) {
  Json options = optimizer_table().complete(spec);
  while (options.contains("optimizer")) options = Json(options.at("optimizer").begin().value());
  return options;
}

}  // namespace

void read_lr(JsonReader& reader, Json& options, double fallback) {
  options["lr"] = reader.number("lr", fallback, Range::above(0));
}

void read_betas(JsonReader& reader, Json& options, std::array<double, 2> fallback) {
  options["betas"] = reader.numbers("betas", {fallback.begin(), fallback.end()}, kBelowOne);
}

void read_eps(JsonReader& reader, Json& options, double fallback) {
  options["eps"] = reader.number("eps", fallback, Range::above(0));
}

void read_weight_decay(JsonReader& reader, Json& options, double fallback) {
  options["weight_decay"] = reader.number("weight_decay", fallback, Range::at_least(0));
}

void read_strength(JsonReader& reader, Json& options) {
  options["C"] = reader.one_of("C", 1.0, {{JsonForm::number(Range::above(0)), JsonForm::word("cv")}});
}

void read_inner_rule(JsonReader& reader, Json& options, const std::vector<std::string>& others) {
  options["optimizer"] = to_json(OptimizerSpec{});
  const Json* value = reader.member("optimizer");
  if (value == nullptr) return;
  const OptimizerSpec inner = read_optimizer_spec(*value, reader.path_of("optimizer"), reader.problems());
  if (inner.full_batch() || contains(others, inner.name))
    reader.problem("optimizer", "is " + inner.name, "a rule that takes steps of its own",
                   inner.name == "sam" ? "sam wraps the others: {\"sam\": {\"optimizer\": …}}" : "");
  else
    options["optimizer"] = Json{{inner.name, inner.options}};
}

std::unique_ptr<UpdateRule> make_inner_rule(const Json& options) {
  const auto inner = options.at("optimizer").begin();
  return make_update_rule({inner.key(), inner.value()});
}

double OptimizerSpec::lr() const { return stepping_options(*this).value("lr", 1.0); }

bool OptimizerSpec::has_momentum() const {
  const Json of_steps = stepping_options(*this);
  return of_steps.contains("momentum") || of_steps.contains("betas");
}

bool OptimizerSpec::full_batch() const { return optimizer_table().at(name).make == nullptr; }

const std::vector<std::string>& optimizer_names() { return optimizer_table().names(); }

OptimizerSpec read_optimizer_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  return optimizer_table().read<OptimizerSpec>(value, path, problems);
}

Json to_json(const OptimizerSpec& spec) { return Json{{spec.name, optimizer_table().complete(spec)}}; }

std::unique_ptr<UpdateRule> make_update_rule(const OptimizerSpec& spec) {
  TORCH_CHECK(!spec.full_batch(), spec.name, " has no rule of single steps");
  return optimizer_table().at(spec.name).make(optimizer_table().complete(spec));
}

Minimum minimize(const OptimizerSpec& spec, const SmoothFunction& function, const at::Tensor& start,
                 const std::stop_token& stop) {
  TORCH_CHECK(spec.full_batch(), spec.name, " takes single steps");
  const at::NoGradGuard no_grad;
  return optimizer_table().at(spec.name).minimize(optimizer_table().complete(spec), function, start, stop);
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerSpec& spec, std::vector<ParameterGroup> groups) {
  return std::make_unique<Optimizer>(std::move(groups), make_update_rule(spec));
}

}  // namespace graft
