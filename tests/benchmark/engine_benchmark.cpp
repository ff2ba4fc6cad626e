#include <ATen/Functions.h>
#include <benchmark/benchmark.h>

#include <map>
#include <mutex>

#include "graft/backbone/frozen_engine.h"
#include "graft/core/runtime.h"
#include "graft/image/decode.h"
#include "graft/image/preprocess.h"

namespace graft {
namespace {

constexpr std::int64_t kImages = 8;  // as many as a run computes at once

struct Layers {
  at::Tensor rows;
  FrozenEngine engine;
};

/// A whole network by the engine that a run takes, compared with the plain one on a real photo.
Layers make_layers(const std::string& network, bool bfloat16) {
  const Backbone backbone = Backbone::load(GRAFT_BENCHMARK_FILES "/" + network + ".pt", {.trust = Trust::kScan});
  const InputSpec input;
  const at::Tensor photo = fit_image(decode_image_file(GRAFT_BENCHMARK_FILES "/photo.jpg", {}), input);
  const at::Tensor rows = normalize_images(photo.unsqueeze(0).repeat({kImages, 1, 1, 1}), input);
  const std::size_t to = backbone.last_boundary();
  const EngineExample example = plain_example(backbone, 0, to, rows);
  return {rows, *find_engines(backbone, 0, to, example, {.reduced = bfloat16}).front().engine};
}

const Layers& layers(const std::string& network, bool bfloat16) {
  static std::mutex one;
  static std::map<std::pair<std::string, bool>, Layers> made;
  const std::lock_guard guard(one);
  auto found = made.find({network, bfloat16});
  if (found == made.end()) found = made.emplace(std::pair(network, bfloat16), make_layers(network, bfloat16)).first;
  return found->second;
}

/// Two workers of one thread each, as a run has on two cores.
void frozen_engine(benchmark::State& state, const char* network, bool bfloat16) {
  const OneThreadScope one_thread;
  const auto& [rows, engine] = layers(network, bfloat16);
  for (auto _ : state) benchmark::DoNotOptimize(engine(rows));
  state.SetItemsProcessed(state.iterations() * kImages);
}

/// One worker of two threads instead: what a run does not do.
void frozen_engine_in_a_team(benchmark::State& state, const char* network, bool bfloat16) {
  const auto& [rows, engine] = layers(network, bfloat16);
  for (auto _ : state) benchmark::DoNotOptimize(engine(rows));
  state.SetItemsProcessed(state.iterations() * kImages);
}
BENCHMARK_CAPTURE(frozen_engine_in_a_team, mobilenet_v2, "mobilenet_v2", true)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(frozen_engine_in_a_team, resnet18, "resnet18", true)->Unit(benchmark::kMillisecond)->UseRealTime();

[[maybe_unused]] const bool kRegistered = [] {
  for (const char* network : {"mobilenet_v2", "efficientnet_lite0", "resnet18", "vit_tiny", "convnext_tiny"})
    for (const bool bfloat16 : {false, true})
      benchmark::RegisterBenchmark((std::string("frozen_engine/") + network + (bfloat16 ? "/bf16" : "/f32")).c_str(),
                                   frozen_engine, network, bfloat16)
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime()
          ->Threads(2);
  return true;
}();

}  // namespace
}  // namespace graft
