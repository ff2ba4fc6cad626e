#include "graft/head/head_layer.h"

#include <algorithm>

namespace graft {

torch::jit::Module Emitter::module(const std::string& class_name) {
  torch::jit::Module module(c10::QualifiedName("__torch__.graft." + class_name), unit_, /*shouldMangle=*/true);
  // Module::train() and eval() reach only modules that have this attribute.
  module.register_attribute("training", c10::BoolType::get(), true);
  return module;
}

void add_parameter(torch::jit::Module& module, const std::string& name, at::Tensor values) {
  module.register_parameter(name, values.set_requires_grad(true), /*is_buffer=*/false);
}

void add_number(torch::jit::Module& module, const std::string& name, double value) {
  module.register_attribute(name, c10::FloatType::get(), value);
}

const std::vector<HeadLayerRow>& head_layer_rows() {
  static const std::vector<HeadLayerRow> kRows{batch_norm_layer(), layer_norm_layer(),    whiten_layer(),
                                               dropout_layer(),    alpha_dropout_layer(), linear_layer(),
                                               cosine_layer(),     activation_layer()};
  return kRows;
}

const HeadLayerRow& head_layer_row(const std::string& name) {
  const auto& rows = head_layer_rows();
  const auto row =
      std::find_if(rows.begin(), rows.end(), [&](const HeadLayerRow& other) { return other.name == name; });
  TORCH_CHECK(row != rows.end(), "no layer is called '", name, "'");
  return *row;
}

}  // namespace graft
