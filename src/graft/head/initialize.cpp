#include "graft/head/initialize.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "graft/core/option_table.h"

namespace graft {
namespace {

using T = const at::Tensor&;
using G = const at::Generator&;

double fan_in(T weight) { return static_cast<double>(weight.size(1)); }
double fan_out(T weight) { return static_cast<double>(weight.size(0)); }

void uniform(T tensor, double bound, G generator) { tensor.uniform_(-bound, bound, generator); }
double number(const Json& options, const char* name) { return options.at(name).get<double>(); }

// ---- gains ----

const std::vector<std::string>& nonlinearities() {
  static const std::vector<std::string> kNames{"leaky_relu", "relu", "linear", "sigmoid", "tanh", "selu"};
  return kNames;
}

/// torch.nn.init.calculate_gain. `a` is the slope of leaky_relu.
double gain_of(const std::string& nonlinearity, double a) {
  if (nonlinearity == "leaky_relu") return std::sqrt(2 / (1 + a * a));
  if (nonlinearity == "relu") return std::numbers::sqrt2;
  if (nonlinearity == "tanh") return 5.0 / 3;
  if (nonlinearity == "selu") return 3.0 / 4;
  return 1;
}

Json read_kaiming(JsonReader& reader) {
  static const std::vector<std::string> kModes{"fan_in", "fan_out"};
  const double a = reader.number("a", 0);
  const std::string mode = reader.choice("mode", kModes.front(), kModes);
  const std::string nonlinearity = reader.choice("nonlinearity", nonlinearities().front(), nonlinearities());
  if (a != 0 && nonlinearity != "leaky_relu")
    reader.problem("a", "is given beside " + nonlinearity, "nothing: it is the slope of leaky_relu");
  return {{"a", a}, {"mode", mode}, {"nonlinearity", nonlinearity}};
}

double kaiming_deviation(const Json& options, T weight) {
  const double fan = options.at("mode") == "fan_in" ? fan_in(weight) : fan_out(weight);
  return gain_of(options.at("nonlinearity").get<std::string>(), number(options, "a")) / std::sqrt(fan);
}

Json read_gain(JsonReader& reader) { return {{"gain", reader.number("gain", 1, Range::above(0))}}; }

double xavier_deviation(const Json& options, T weight) {
  return number(options, "gain") * std::sqrt(2 / (fan_in(weight) + fan_out(weight)));
}

// ---- normals ----

Json read_normal(JsonReader& reader) {
  const double mean = reader.number("mean", 0);
  return {{"mean", mean}, {"std", reader.number("std", 0.01, Range::above(0))}};
}

/// The part of a normal distribution that lies within [a, b].
double part_within(double mean, double std, double a, double b) {
  const auto below = [&](double value) { return std::erf((value - mean) / std / std::numbers::sqrt2) / 2; };
  return below(b) - below(a);
}

Json read_trunc_normal(JsonReader& reader) {
  constexpr double kLeastPart = 0.01;
  const double mean = reader.number("mean", 0), std = reader.number("std", 0.02, Range::above(0));
  const double a = reader.number("a", -2), b = reader.number("b", 2);
  if (part_within(mean, std, a, b) < kLeastPart)
    reader.problem("a", "to b holds next to nothing of the distribution",
                   "a lowest and a highest value round the mean");
  return {{"mean", mean}, {"std", std}, {"a", a}, {"b", b}};
}

/// Draws again what falls outside [a, b], as torch.nn.init.trunc_normal_ does.
void trunc_normal(T weight, const Json& options, G generator) {
  const double mean = number(options, "mean"), std = number(options, "std");
  const double a = number(options, "a"), b = number(options, "b");
  weight.normal_(mean, std, generator);
  const auto outside = [&] { return weight.lt(a).logical_or_(weight.gt(b)); };
  for (at::Tensor wrong = outside(); wrong.any().item<bool>(); wrong = outside())
    weight.copy_(at::where(wrong, at::empty_like(weight).normal_(mean, std, generator), weight));
}

/// Rows or columns, whichever are fewer, become orthonormal (Saxe et al. 2014). The signs of R's diagonal make the
/// distribution uniform.
void orthogonal(T weight, const Json& options, G generator) {
  const bool wide = weight.size(0) < weight.size(1);
  const at::Tensor gaussian = at::empty_like(weight).normal_(0, 1, generator);
  const auto [q, r] = at::linalg_qr(wide ? gaussian.t() : gaussian);
  const at::Tensor signed_q = q * r.diagonal().sign();
  weight.copy_((wide ? signed_q.t() : signed_q) * number(options, "gain"));
}

/// Orthonormal to start with; head/lsuv.h then scales it by data.
Json read_lsuv(JsonReader& reader) {
  const double tol = reader.number("tol", 0.1, Range::above(0));
  return {{"tol", tol}, {"max_iter", reader.integer("max_iter", 10, Range::between(1, 1000))}};
}

// ---- table ----

/// Fills the weight, and the bias where it is defined; the bias arrives filled with zeros.
using Fill = void (*)(T weight, T bias, const Json& options, G generator);

struct InitRow {
  std::string name;
  Json (*read_options)(JsonReader& reader);
  Fill fill;
};

const OptionTable<InitRow>& init_table() {
  static const OptionTable<InitRow> kTable({
      {"default", no_options,
       [](T weight, T bias, const Json&, G generator) {
         uniform(weight, 1 / std::sqrt(fan_in(weight)), generator);
         if (bias.defined()) uniform(bias, 1 / std::sqrt(fan_in(weight)), generator);
       }},
      {"kaiming_uniform", read_kaiming,
       [](T weight, T, const Json& options, G generator) {
         uniform(weight, std::numbers::sqrt3 * kaiming_deviation(options, weight), generator);
       }},
      {"kaiming_normal", read_kaiming,
       [](T weight, T, const Json& options, G generator) {
         weight.normal_(0, kaiming_deviation(options, weight), generator);
       }},
      {"xavier_uniform", read_gain,
       [](T weight, T, const Json& options, G generator) {
         uniform(weight, std::numbers::sqrt3 * xavier_deviation(options, weight), generator);
       }},
      {"xavier_normal", read_gain,
       [](T weight, T, const Json& options, G generator) {
         weight.normal_(0, xavier_deviation(options, weight), generator);
       }},
      {"normal", read_normal,
       [](T weight, T, const Json& options, G generator) {
         weight.normal_(number(options, "mean"), number(options, "std"), generator);
       }},
      {"trunc_normal", read_trunc_normal,
       [](T weight, T, const Json& options, G generator) { trunc_normal(weight, options, generator); }},
      {"orthogonal", read_gain,
       [](T weight, T, const Json& options, G generator) { orthogonal(weight, options, generator); }},
      {"lsuv", read_lsuv,
       [](T weight, T, const Json&, G generator) {
         orthogonal(weight, {{"gain", 1}}, generator);
       }},
      {"zeros", no_options, [](T weight, T, const Json&, G) { weight.zero_(); }},
  });
  return kTable;
}

}  // namespace

const std::vector<std::string>& initialization_names() { return init_table().names(); }

Json read_init(JsonReader& reader) {
  const auto spec = init_table().read_member<InitSpec>(reader, "init");
  return {{spec.name, spec.options}};
}

InitSpec init_of(const Json& layer) {
  const auto named = layer.at("init").begin();
  return {named.key(), *named};
}

void initialize_linear(const InitSpec& spec, const at::Tensor& weight, const at::Tensor& bias,
                       at::Generator generator) {
  TORCH_CHECK(weight.dim() == 2, "a linear weight is [out, in]");
  const at::NoGradGuard no_grad;
  // Drawn on the CPU in float, so that device and type of the weight do not change the numbers.
  const at::Tensor fresh_weight = at::empty(weight.sizes(), at::kFloat);
  const at::Tensor fresh_bias = bias.defined() ? at::zeros(bias.sizes(), at::kFloat) : at::Tensor();
  init_table().at(spec.name).fill(fresh_weight, fresh_bias, init_table().complete(spec), generator);
  weight.copy_(fresh_weight);
  if (bias.defined()) bias.copy_(fresh_bias);
}

}  // namespace graft
