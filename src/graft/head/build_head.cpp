#include "graft/head/build_head.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "graft/core/random.h"
#include "graft/head/activation.h"
#include "graft/head/initialize.h"

namespace graft {
namespace {

using torch::jit::Module;

/// One compilation unit for the head and its layers, so that classes of the same kind get distinct names when saved.
class Emitter {
 public:
  Module module(const std::string& class_name) {
    Module module(c10::QualifiedName("__torch__.graft." + class_name), unit_, /*shouldMangle=*/true);
    // Module::train() and eval() reach only modules that have this attribute.
    module.register_attribute("training", c10::BoolType::get(), true);
    return module;
  }

 private:
  std::shared_ptr<torch::jit::CompilationUnit> unit_ = std::make_shared<torch::jit::CompilationUnit>();
};

void add_parameter(Module& module, const std::string& name, at::Tensor values) {
  module.register_parameter(name, values.set_requires_grad(true), /*is_buffer=*/false);
}

void add_number(Module& module, const std::string& name, double value) {
  module.register_attribute(name, c10::FloatType::get(), value);
}

Module batch_norm(Emitter& emitter, const HeadLayer& layer, std::int64_t features) {
  Module module = emitter.module("BatchNorm1d");
  add_parameter(module, "weight", at::ones({features}));
  add_parameter(module, "bias", at::zeros({features}));
  module.register_buffer("running_mean", at::zeros({features}));
  module.register_buffer("running_var", at::ones({features}));
  module.register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
  add_number(module, "momentum", layer.momentum);
  add_number(module, "eps", layer.eps);
  // The operator would write NaN into running_var for a batch of one; torch.nn checks in Python, so the source must.
  module.define(R"(
def forward(self, x: Tensor) -> Tensor:
    if self.training:
        assert x.size(0) > 1, "BatchNorm1d in training needs more than one sample in a batch"
        self.num_batches_tracked.add_(1)
    return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, self.training,
                            self.momentum, self.eps, True)
)");
  return module;
}

Module dropout(Emitter& emitter, const HeadLayer& layer) {
  Module module = emitter.module("Dropout");
  add_number(module, "p", layer.p);
  module.define(R"(
def forward(self, x: Tensor) -> Tensor:
    return torch.dropout(x, self.p, self.training)
)");
  return module;
}

Module linear(Emitter& emitter, const HeadLayer& layer, std::int64_t in, std::int64_t out, std::uint64_t seed) {
  Module module = emitter.module("Linear");
  at::Tensor weight = at::empty({out, in});
  at::Tensor bias = layer.bias ? at::empty({out}) : at::Tensor();
  initialize_linear(layer.init, weight, bias, at::detail::createCPUGenerator(seed));
  add_parameter(module, "weight", weight);
  if (layer.bias) add_parameter(module, "bias", bias);
  module.define(std::string("def forward(self, x: Tensor) -> Tensor:\n    return torch.linear(x, self.weight") +
                (layer.bias ? ", self.bias)\n" : ")\n"));
  return module;
}

Module activation(Emitter& emitter, const HeadLayer& layer) {
  const Activation& row = activation_named(layer.activation);
  Module module = emitter.module("Activation");
  if (row.initial_weight) add_parameter(module, "weight", at::full({1}, *row.initial_weight));
  module.define("def forward(self, x: Tensor) -> Tensor:\n    return " + row.expression + "\n");
  return module;
}

std::string kind_name(HeadLayer::Kind kind) {
  switch (kind) {
    case HeadLayer::Kind::kBatchNorm:
      return "batch_norm";
    case HeadLayer::Kind::kDropout:
      return "dropout";
    case HeadLayer::Kind::kLinear:
      return "linear";
    case HeadLayer::Kind::kActivation:
      return "activation";
  }
  TORCH_CHECK(false, "not a kind of layer");
}

}  // namespace

Module build_head(const HeadSpec& spec, std::int64_t num_features, std::int64_t num_outputs, std::uint64_t seed) {
  TORCH_CHECK(num_features > 0 && num_outputs > 0, "a head has inputs and outputs");
  Emitter emitter;
  Module head = emitter.module("Head");
  std::string source = "def forward(self, x: Tensor) -> Tensor:\n";
  std::int64_t width = num_features;
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    const HeadLayer& layer = spec.layers[i];
    const std::string name = kind_name(layer.kind) + "_" + std::to_string(i);
    if (layer.kind == HeadLayer::Kind::kLinear) {
      const std::int64_t out = layer.width == 0 ? num_outputs : layer.width;
      head.register_module(name, linear(emitter, layer, width, out, derive_seed(seed, "head initialisation", i)));
      width = out;
    } else if (layer.kind == HeadLayer::Kind::kBatchNorm) {
      head.register_module(name, batch_norm(emitter, layer, width));
    } else if (layer.kind == HeadLayer::Kind::kDropout) {
      head.register_module(name, dropout(emitter, layer));
    } else {
      head.register_module(name, activation(emitter, layer));
    }
    source += "    x = self." + name + ".forward(x)\n";
  }
  TORCH_CHECK(width == num_outputs, "the head ends in ", width, " values, expected ", num_outputs);
  head.define(source + "    return x\n");
  return head;
}

}  // namespace graft
