#include "graft/optim/penalty.h"

#include <ATen/ATen.h>

#include "graft/core/option_table.h"

namespace graft {
namespace {

double number(const Json& options, const char* name) { return options.at(name).get<double>(); }

/// What each takes: a strength, and whether parameters of one dimension are penalised too.
Json alpha_options(JsonReader& reader) {
  const double alpha = reader.number("alpha", 1e-4, Range::at_least(0));
  return {{"alpha", alpha}, {"biases", reader.boolean("biases", false)}};
}

Json elasticnet_options(JsonReader& reader) {
  Json options = alpha_options(reader);
  options["l1_ratio"] = reader.number("l1_ratio", 0.15, Range::between(0, 1));
  return options;
}

Json l2_sp_options(JsonReader& reader) {
  const double alpha = reader.number("alpha", 0.01, Range::at_least(0));
  const double beta = reader.number("beta", 0.01, Range::at_least(0));
  return {{"alpha", alpha}, {"beta", beta}, {"biases", reader.boolean("biases", false)}};
}

at::Tensor half_square(const at::Tensor& tensor) { return tensor.square().sum() / 2; }

at::Tensor l2(const Json& options, const Penalty::Weight& weight) {
  return number(options, "alpha") * half_square(weight.parameter);
}

at::Tensor l1(const Json& options, const Penalty::Weight& weight) {
  return number(options, "alpha") * weight.parameter.abs().sum();
}

at::Tensor elasticnet(const Json& options, const Penalty::Weight& weight) {
  const double ratio = number(options, "l1_ratio");
  return ratio * l1(options, weight) + (1 - ratio) * l2(options, weight);
}

at::Tensor l2_sp(const Json& options, const Penalty::Weight& weight) {
  return weight.from_backbone ? number(options, "alpha") * half_square(weight.parameter - weight.origin)
                              : number(options, "beta") * half_square(weight.parameter);
}

struct PenaltyRow {
  std::string name;
  Json (*read_options)(JsonReader& reader);
  at::Tensor (*of)(const Json& options, const Penalty::Weight& weight);
  bool holds_to_pretrained = false;
};

const OptionTable<PenaltyRow>& penalty_table() {
  static const OptionTable<PenaltyRow> kTable({{"none", no_options, nullptr},
                                               {"l1", alpha_options, l1},
                                               {"l2", alpha_options, l2},
                                               {"elasticnet", elasticnet_options, elasticnet},
                                               {"l2_sp", l2_sp_options, l2_sp, true}});
  return kTable;
}

}  // namespace

bool PenaltySpec::holds_to_pretrained() const { return penalty_table().at(name).holds_to_pretrained; }

const std::vector<std::string>& penalty_names() { return penalty_table().names(); }

PenaltySpec read_penalty_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  return penalty_table().read<PenaltySpec>(value, path, problems);
}

Json to_json(const PenaltySpec& spec) { return Json{{spec.name, penalty_table().complete(spec)}}; }

Penalty::Penalty(const PenaltySpec& spec, const std::vector<ParameterGroup>& groups,
                 const std::map<std::string, at::Tensor>& pretrained)
    : of_(penalty_table().at(spec.name).of), options_(penalty_table().complete(spec)) {
  if (!spec.penalises()) return;
  for (const auto& group : groups) {
    if (!group.weight_decay && options_.at("biases") == false) continue;
    for (std::size_t i = 0; i < group.names.size(); ++i) {
      Weight weight{group.parameters[i], {}, group.names[i].starts_with("backbone.")};
      if (weight.from_backbone && spec.holds_to_pretrained())
        weight.origin = pretrained.at(group.names[i]).to(weight.parameter.options().requires_grad(false));
      weights_.push_back(std::move(weight));
    }
  }
}

at::Tensor Penalty::value() const {
  at::Tensor sum = at::zeros({});
  for (const auto& weight : weights_) {
    const at::Tensor part = of_(options_, weight);
    sum = sum.to(part.options()) + part;
  }
  return sum;
}

void Penalty::add_gradient() const {
  if (!weights_.empty()) value().backward();
}

}  // namespace graft
