#include "graft/head/lsuv.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>

#include "graft/core/random.h"
#include "graft/head/head_layer.h"
#include "graft/head/initialize.h"

namespace graft {
namespace {

using torch::jit::Module;

bool is_lsuv(const HeadLayer& layer) { return layer.json.contains("init") && init_of(layer.json).name == "lsuv"; }

Module module_of(const Module& head, const HeadSpec& spec, std::size_t i) {
  return head.attr(spec.layers[i].kind + "_" + std::to_string(i)).toModule();
}

/// Linear in its weight but for the bias, so that one scaling nearly always does.
void scale(Module& layer, const Json& options, const at::Tensor& input) {
  const double tol = options.at("tol").get<double>();
  const auto max_iter = options.at("max_iter").get<std::int64_t>();
  const at::Tensor weight = layer.attr("weight").toTensor();
  for (std::int64_t i = 0; i < max_iter; ++i) {
    const double variance = layer.forward({input}).toTensor().to(at::kDouble).var(/*unbiased=*/false).item<double>();
    if (std::abs(variance - 1) < tol || !(variance > 0)) return;
    weight.div_(std::sqrt(variance));
  }
}

/// What a layer gives in training, but for what it draws; buffers stay.
at::Tensor given(Module& layer, bool by_batch, const at::Tensor& input) {
  std::vector<at::Tensor> kept;
  for (const auto& buffer : layer.buffers()) kept.push_back(buffer.clone());
  layer.train(by_batch);
  at::Tensor output = layer.forward({input}).toTensor();
  std::size_t i = 0;
  for (const auto& buffer : layer.buffers()) buffer.copy_(kept[i++]);
  return output;
}

}  // namespace

bool starts_from_data(const HeadSpec& spec) { return std::ranges::any_of(spec.layers, is_lsuv); }

void scale_to_unit_variance(Module& head, const HeadSpec& spec, at::Tensor features) {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    Module layer = module_of(head, spec, i);
    if (is_lsuv(spec.layers[i])) scale(layer, init_of(spec.layers[i].json).options, features);
    features = given(layer, spec.layers[i].kind == "batch_norm", features);
  }
  head.eval();
}

void start_from_data(Module& head, const HeadSpec& spec, std::uint64_t seed, const at::Tensor& features) {
  for (std::size_t i = 0; i < spec.layers.size(); ++i)
    if (is_lsuv(spec.layers[i]))
      initialize_linear(init_of(spec.layers[i].json), module_of(head, spec, i).attr("weight").toTensor(), {},
                        at::detail::createCPUGenerator(layer_seed(seed, i)));
  scale_to_unit_variance(head, spec, features);
}

}  // namespace graft
