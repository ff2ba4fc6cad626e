#include <ATen/Functions.h>
#include <benchmark/benchmark.h>

#include "graft/optim/optimizer.h"

namespace graft {
namespace {

/// Sixty tensors of 40 thousand numbers: about what fine-tuning a small network's last stages updates.
ParameterGroup parameters() {
  ParameterGroup group;
  for (int i = 0; i < 60; ++i) {
    group.names.push_back("weight_" + std::to_string(i));
    group.parameters.push_back(at::randn({200, 200}));
    group.parameters.back().mutable_grad() = at::randn({200, 200});
  }
  return group;
}

void optimizer_step(benchmark::State& state, const char* name) {
  const auto optimizer = make_optimizer({.name = name}, {parameters()});
  for (auto _ : state) optimizer->step({1e-3, {}});
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(optimizer_step, sgd, "sgd")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(optimizer_step, adamw, "adamw")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(optimizer_step, lion, "lion")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace graft
