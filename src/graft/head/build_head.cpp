#include "graft/head/build_head.h"

#include "graft/core/random.h"
#include "graft/head/head_layer.h"

namespace graft {

std::uint64_t layer_seed(std::uint64_t seed, std::size_t index) {
  return derive_seed(seed, "head initialisation", index);
}

torch::jit::Module build_head(const HeadSpec& spec, std::int64_t num_features, const HeadOutputs& outputs,
                              std::uint64_t seed, const std::vector<std::int64_t>& class_counts) {
  TORCH_CHECK(num_features > 0 && outputs.count > 0, "a head has inputs and outputs");
  Emitter emitter;
  torch::jit::Module head = emitter.module("Head");
  std::string source = "def forward(self, x: Tensor) -> Tensor:\n";
  LayerPlace place{.path = "",
                   .in = num_features,
                   .classes = outputs.count,
                   .class_counts = class_counts,
                   .one_weight = outputs.one_weight};
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    const auto& [kind, json] = spec.layers[i];
    place.path = "head[" + std::to_string(i) + "]";
    place.seed = layer_seed(seed, i);
    const BuiltLayer built = head_layer_row(kind).build(emitter, json, place);
    const std::string name = kind + "_" + std::to_string(i);
    head.register_module(name, built.module);
    source += "    x = self." + name + ".forward(x)\n";
    place.in = built.out;
  }
  TORCH_CHECK(place.in == outputs.count, "the head ends in ", place.in, " values, expected ", outputs.count);
  head.define(source + "    return x\n");
  return head;
}

}  // namespace graft
