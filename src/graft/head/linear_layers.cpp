#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "graft/head/head_layer.h"
#include "graft/head/initialize.h"

namespace graft {
namespace {

using torch::jit::Module;

const JsonForm kClasses = JsonForm::word("classes");
const JsonForm kWidth = JsonForm::integer(Range::between(1, 65536));

/// Whether there is a bias, or what it starts from: a number, or "prior".
Json read_bias(JsonReader& reader, const Json& width) {
  std::vector<JsonForm> forms{JsonForm::boolean(), JsonForm::number()};
  if (width == "classes") forms.push_back(JsonForm::word("prior"));
  return reader.one_of("bias", true, forms);
}

Json read_linear(JsonReader& reader) {
  const Json width = reader.one_of("linear", "classes", {{kClasses, kWidth}});
  const Json bias = read_bias(reader, width);
  return {{"linear", width}, {"bias", bias}, {"init", read_init(reader)}};
}

std::int64_t width_of(const Json& width, const LayerPlace& place) {
  return width == "classes" ? place.classes : width.get<std::int64_t>();
}

/// log of each class's part of the images: what softmax answers at first then is how common the classes are.
at::Tensor log_prior(const std::vector<std::int64_t>& counts) {
  const at::Tensor images = at::tensor(counts, at::kDouble).clamp_min(1);
  return (images / images.sum()).log().to(at::kFloat);
}

void set_bias(const at::Tensor& bias, const Json& start, const LayerPlace& place) {
  if (start.is_number()) bias.fill_(start.get<double>());
  if (start == "prior") bias.zero_();
  if (start == "prior" && !place.class_counts.empty()) bias.copy_(log_prior(place.class_counts));
}

/// log odds of a class above each one but the last: what a sigmoid answers at first then is how common that is.
at::Tensor log_odds_above(const std::vector<std::int64_t>& counts) {
  const at::Tensor upto = at::tensor(counts, at::kDouble).clamp_min(1).cumsum(0);
  const at::Tensor below = upto.slice(0, 0, -1);
  return ((upto[-1] - below) / below).log().to(at::kFloat);
}

/// One score for all outputs, each with a threshold of its own.
BuiltLayer build_thresholds(Emitter& emitter, const Json& layer, const LayerPlace& place) {
  const Json& start = layer.at("bias");
  TORCH_CHECK(start != false, "outputs with one weight differ by their biases");
  const at::Tensor weight = at::empty({1, place.in}), bias = at::zeros({place.classes});
  initialize_linear(init_of(layer), weight, {}, at::detail::createCPUGenerator(place.seed));
  if (start.is_number()) bias.fill_(start.get<double>());
  if (!start.is_number() && !place.class_counts.empty()) bias.copy_(log_odds_above(place.class_counts));
  Module module = emitter.module("Thresholds");
  add_parameter(module, "weight", weight);
  add_parameter(module, "bias", bias);
  module.define("def forward(self, x: Tensor) -> Tensor:\n    return torch.linear(x, self.weight) + self.bias\n");
  return {module, place.classes};
}

BuiltLayer build_linear(Emitter& emitter, const Json& layer, const LayerPlace& place) {
  if (place.one_weight && layer.at("linear") == "classes") return build_thresholds(emitter, layer, place);
  const std::int64_t out = width_of(layer.at("linear"), place);
  const bool has_bias = layer.at("bias") != false;
  const at::Tensor weight = at::empty({out, place.in}), bias = has_bias ? at::empty({out}) : at::Tensor();
  initialize_linear(init_of(layer), weight, bias, at::detail::createCPUGenerator(place.seed));
  if (has_bias) set_bias(bias, layer.at("bias"), place);
  Module module = emitter.module("Linear");
  add_parameter(module, "weight", weight);
  if (has_bias) add_parameter(module, "bias", bias);
  module.define(std::string("def forward(self, x: Tensor) -> Tensor:\n    return torch.linear(x, self.weight") +
                (has_bias ? ", self.bias)\n" : ")\n"));
  return {module, out};
}

Json read_cosine(JsonReader& reader) {
  const Json width = reader.one_of("cosine", "classes", {{kClasses}});
  const double scale = reader.number("scale", 10, Range::above(0));
  Json layer{{"cosine", width}, {"scale", scale}, {"init", read_init(reader)}};
  if (init_of(layer).name == "lsuv")
    reader.problem("init", "is lsuv", "one of the others: the length of the weights does not change a cosine");
  return layer;
}

/// The learned scale times the cosine of the angle to each class's vector (Gidaris and Komodakis 2018), lengths divided
/// as torch.nn.functional.normalize does.
BuiltLayer build_cosine(Emitter& emitter, const Json& layer, const LayerPlace& place) {
  TORCH_CHECK(!place.one_weight, "a cosine layer has a vector for each output");
  const std::int64_t out = width_of(layer.at("cosine"), place);
  const at::Tensor weight = at::empty({out, place.in});
  initialize_linear(init_of(layer), weight, {}, at::detail::createCPUGenerator(place.seed));
  Module module = emitter.module("CosineClassifier");
  add_parameter(module, "weight", weight);
  add_parameter(module, "scale", at::full({1}, layer.at("scale").get<double>()));
  module.define(R"(
def forward(self, x: Tensor) -> Tensor:
    x = x / x.norm(2, [1], True).clamp_min(1e-12)
    weight = self.weight / self.weight.norm(2, [1], True).clamp_min(1e-12)
    return torch.linear(x, weight) * self.scale
)");
  return {module, out};
}

}  // namespace

HeadLayerRow linear_layer() { return {"linear", read_linear, build_linear}; }
HeadLayerRow cosine_layer() { return {"cosine", read_cosine, build_cosine}; }

}  // namespace graft
