#include "graft/head/head_layer.h"

namespace graft {
namespace {

const Range kBelowOne{.low = 0, .high = 1, .high_open = true};

BuiltLayer build_dropout(Emitter& emitter, const char* class_name, const char* call, double p,
                         const LayerPlace& place) {
  torch::jit::Module module = emitter.module(class_name);
  add_number(module, "p", p);
  module.define(std::string("def forward(self, x: Tensor) -> Tensor:\n    return torch.") + call +
                "(x, self.p, self.training)\n");
  return {module, place.in};
}

}  // namespace

HeadLayerRow dropout_layer() {
  return {"dropout",
          [](JsonReader& reader) -> Json {
            return {{"dropout", reader.number("dropout", 0.5, kBelowOne)}};
          },
          [](Emitter& emitter, const Json& layer, const LayerPlace& place) {
            return build_dropout(emitter, "Dropout", "dropout", layer.at("dropout").get<double>(), place);
          }};
}

HeadLayerRow alpha_dropout_layer() {
  return {"alpha_dropout",
          [](JsonReader& reader) -> Json {
            return {{"alpha_dropout", reader.number("alpha_dropout", 0.5, kBelowOne)}};
          },
          [](Emitter& emitter, const Json& layer, const LayerPlace& place) {
            return build_dropout(emitter, "AlphaDropout", "alpha_dropout", layer.at("alpha_dropout").get<double>(),
                                 place);
          }};
}

}  // namespace graft
