#include "graft/head/activation.h"

#include <ATen/ATen.h>

#include "graft/core/option_table.h"
#include "graft/head/head_layer.h"

namespace graft {
namespace {

using Reader = JsonReader&;

/// One row of the activation table.
struct Activation {
  std::string name;
  std::string expression;  ///< TorchScript, of `x` and of the options, which are the module's attributes
  Json (*read_options)(Reader) = no_options;
  std::string learned = "";  ///< the option that the learned `self.weight` starts from
  /// How many numbers become one; null: each becomes one.
  std::int64_t (*joined)(const Json& options) = nullptr;
};

const OptionTable<Activation>& activation_table() {
  static const OptionTable<Activation> kTable({
      {"relu", "torch.relu(x)"},
      {"relu6", "torch.relu6(x)"},
      {"leaky_relu", "torch.leaky_relu(x, self.negative_slope)",
       [](Reader r) -> Json {
         return {{"negative_slope", r.number("negative_slope", 0.01, Range::at_least(0))}};
       }},
      {"prelu", "torch.prelu(x, self.weight)",
       [](Reader r) -> Json {
         return {{"init", r.number("init", 0.25)}};
       },
       "init"},
      {"rrelu", "torch.rrelu(x, self.lower, self.upper, self.training)",
       [](Reader r) -> Json {
         const double lower = r.number("lower", 1.0 / 8, Range::at_least(0));
         const double upper = r.number("upper", 1.0 / 3, Range::at_least(0));
         if (lower > upper) r.problem("lower", "is above upper", "the lowest slope and the highest");
         return {{"lower", lower}, {"upper", upper}};
       }},
      {"elu", "torch.elu(x, self.alpha)",
       [](Reader r) -> Json {
         return {{"alpha", r.number("alpha", 1, Range::at_least(0))}};
       }},
      {"selu", "torch.selu(x)"},
      {"celu", "torch.celu(x, self.alpha)",
       [](Reader r) -> Json {
         return {{"alpha", r.number("alpha", 1, Range::above(0))}};
       }},
      {"gelu", "torch.gelu(x, approximate=self.approximate)",
       [](Reader r) -> Json {
         static const std::vector<std::string> kForms{"none", "tanh"};
         return {{"approximate", r.choice("approximate", kForms.front(), kForms)}};
       }},
      {"silu", "torch.silu(x)"},
      {"mish", "torch.mish(x)"},
      {"hardswish", "torch.hardswish(x)"},
      {"hardsigmoid", "torch.hardsigmoid(x)"},
      {"sigmoid", "torch.sigmoid(x)"},
      {"tanh", "torch.tanh(x)"},
      {"softplus", "torch.softplus(x, self.beta, self.threshold)",
       [](Reader r) -> Json {
         const double beta = r.number("beta", 1, Range::above(0));
         return {{"beta", beta}, {"threshold", r.number("threshold", 20, Range::at_least(0))}};
       }},
      {.name = "glu", .expression = "torch.glu(x, 1)", .joined = [](const Json&) -> std::int64_t { return 2; }},
      // Goodfellow et al. 2013: the largest of `pieces` linear functions, which are the layer in front.
      {.name = "maxout",
       .expression = "x.view([x.size(0), -1, self.pieces]).amax([2])",
       .read_options = [](Reader r) -> Json {
         return {{"pieces", r.integer("pieces", 2, Range::between(2, 1024))}};
       },
       .joined = [](const Json& options) { return options.at("pieces").get<std::int64_t>(); }},
  });
  return kTable;
}

/// A name of the table with its options.
struct ActivationSpec {
  std::string name = "relu";
  Json options = Json::object();
};

void add_option(torch::jit::Module& module, const std::string& name, const Json& value) {
  if (value.is_string())
    module.register_attribute(name, c10::StringType::get(), value.get<std::string>());
  else if (value.is_number_integer())
    module.register_attribute(name, c10::IntType::get(), value.get<std::int64_t>());
  else
    add_number(module, name, value.get<double>());
}

Json read(JsonReader& reader) {
  const auto spec = activation_table().read_member<ActivationSpec>(reader, "activation");
  return {{"activation", {{spec.name, spec.options}}}};
}

BuiltLayer build_activation(Emitter& emitter, const Json& layer, const LayerPlace& place) {
  const auto named = layer.at("activation").begin();
  const Activation& row = activation_table().at(named.key());
  const std::int64_t joined = row.joined == nullptr ? 1 : row.joined(*named);
  if (place.in % joined != 0)
    throw Error({place.path + ".activation." + row.name, "gets " + std::to_string(place.in) + " numbers",
                 "a multiple of " + std::to_string(joined), "it makes one of each " + std::to_string(joined)});
  torch::jit::Module module = emitter.module("Activation");
  for (const auto& [name, value] : named->items()) {
    if (name == row.learned)
      add_parameter(module, "weight", at::full({1}, value.get<double>()));
    else
      add_option(module, name, value);
  }
  module.define("def forward(self, x: Tensor) -> Tensor:\n    return " + row.expression + "\n");
  return {module, place.in / joined};
}

}  // namespace

const std::vector<std::string>& activation_names() { return activation_table().names(); }

HeadLayerRow activation_layer() { return {"activation", read, build_activation}; }

}  // namespace graft
