#include "graft/head/initialize.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace graft {
namespace {

double fan_in(const at::Tensor& weight) { return static_cast<double>(weight.size(1)); }
double fan_sum(const at::Tensor& weight) { return static_cast<double>(weight.size(0) + weight.size(1)); }

void uniform(const at::Tensor& tensor, double bound, const at::Generator& generator) {
  tensor.uniform_(-bound, bound, generator);
}

/// Rows or columns, whichever are fewer, become orthonormal (Saxe et al. 2014). The signs of R's diagonal make the
/// distribution uniform, as in torch.nn.init.orthogonal_.
void orthogonal(const at::Tensor& weight, const at::Generator& generator) {
  const bool wide = weight.size(0) < weight.size(1);
  at::Tensor gaussian = at::empty_like(weight).normal_(0, 1, generator);
  const auto [q, r] = at::linalg_qr(wide ? gaussian.t() : gaussian);
  const at::Tensor signed_q = q * r.diagonal().sign();
  weight.copy_(wide ? signed_q.t() : signed_q);
}

/// Fills the weight, and the bias where it is defined; the bias arrives filled with zeros.
using Fill = void (*)(const at::Tensor& weight, const at::Tensor& bias, const at::Generator& generator);

struct Row {
  std::string name;
  Fill fill;
};

const std::vector<Row>& table() {
  using T = const at::Tensor&;
  using G = const at::Generator&;
  static const std::vector<Row> kTable{
      {"kaiming_uniform",
       [](T weight, T bias, G generator) {
         uniform(weight, 1 / std::sqrt(fan_in(weight)), generator);  // sqrt(6 / ((1 + a²) fan_in)) at a = sqrt(5)
         if (bias.defined()) uniform(bias, 1 / std::sqrt(fan_in(weight)), generator);
       }},
      {"kaiming_normal", [](T weight, T, G generator) { weight.normal_(0, std::sqrt(2 / fan_in(weight)), generator); }},
      {"xavier_uniform", [](T weight, T, G generator) { uniform(weight, std::sqrt(6 / fan_sum(weight)), generator); }},
      {"xavier_normal", [](T weight, T, G generator) { weight.normal_(0, std::sqrt(2 / fan_sum(weight)), generator); }},
      {"normal", [](T weight, T, G generator) { weight.normal_(0, 0.01, generator); }},
      {"orthogonal", [](T weight, T, G generator) { orthogonal(weight, generator); }},
      {"zeros", [](T weight, T, G) { weight.zero_(); }},
  };
  return kTable;
}

}  // namespace

const std::vector<std::string>& initialization_names() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const auto& row : table()) names.push_back(row.name);
    return names;
  }();
  return kNames;
}

void initialize_linear(const std::string& name, const at::Tensor& weight, const at::Tensor& bias,
                       at::Generator generator) {
  const auto row = std::find_if(table().begin(), table().end(), [&](const Row& other) { return other.name == name; });
  TORCH_CHECK(row != table().end(), "no initialisation is called '", name, "'");
  TORCH_CHECK(weight.dim() == 2, "a linear weight is [out, in]");
  const at::NoGradGuard no_grad;
  // Drawn on the CPU in float, so that device and type of the weight do not change the numbers.
  const at::Tensor fresh_weight = at::empty(weight.sizes(), at::kFloat);
  const at::Tensor fresh_bias = bias.defined() ? at::zeros(bias.sizes(), at::kFloat) : at::Tensor();
  row->fill(fresh_weight, fresh_bias, generator);
  weight.copy_(fresh_weight);
  if (bias.defined()) bias.copy_(fresh_bias);
}

}  // namespace graft
