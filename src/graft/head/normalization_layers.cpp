#include <ATen/ATen.h>

#include "graft/head/head_layer.h"

namespace graft {
namespace {

using torch::jit::Module;

Json read_batch_norm(JsonReader& reader) {
  JsonReader options = reader.object("batch_norm");
  const double momentum = options.number("momentum", 0.1, Range::between(0, 1));
  const double eps = options.number("eps", 1e-5, Range::above(0));
  options.finish();
  return {{"batch_norm", {{"momentum", momentum}, {"eps", eps}}}};
}

BuiltLayer build_batch_norm(Emitter& emitter, const Json& layer, const LayerPlace& place) {
  const Json& options = layer.at("batch_norm");
  Module module = emitter.module("BatchNorm1d");
  add_parameter(module, "weight", at::ones({place.in}));
  add_parameter(module, "bias", at::zeros({place.in}));
  module.register_buffer("running_mean", at::zeros({place.in}));
  module.register_buffer("running_var", at::ones({place.in}));
  module.register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
  add_number(module, "momentum", options.at("momentum").get<double>());
  add_number(module, "eps", options.at("eps").get<double>());
  // The operator would write NaN into running_var for a batch of one; torch.nn checks in Python, so the source must.
  module.define(R"(
def forward(self, x: Tensor) -> Tensor:
    if self.training:
        assert x.size(0) > 1, "BatchNorm1d in training needs more than one sample in a batch"
        self.num_batches_tracked.add_(1)
    return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, self.training,
                            self.momentum, self.eps, True)
)");
  return {module, place.in};
}

Json read_layer_norm(JsonReader& reader) {
  JsonReader options = reader.object("layer_norm");
  const double eps = options.number("eps", 1e-5, Range::above(0));
  options.finish();
  return {{"layer_norm", {{"eps", eps}}}};
}

BuiltLayer build_layer_norm(Emitter& emitter, const Json& layer, const LayerPlace& place) {
  Module module = emitter.module("LayerNorm");
  add_parameter(module, "weight", at::ones({place.in}));
  add_parameter(module, "bias", at::zeros({place.in}));
  add_number(module, "eps", layer.at("layer_norm").at("eps").get<double>());
  module.define(R"(
def forward(self, x: Tensor) -> Tensor:
    return torch.layer_norm(x, self.weight.size(), self.weight, self.bias, self.eps)
)");
  return {module, place.in};
}

}  // namespace

HeadLayerRow batch_norm_layer() { return {"batch_norm", read_batch_norm, build_batch_norm}; }
HeadLayerRow layer_norm_layer() { return {"layer_norm", read_layer_norm, build_layer_norm}; }

}  // namespace graft
