#include <benchmark/benchmark.h>

#include "graft/core/runtime.h"
#include "graft/image/decode.h"
#include "graft/image/preprocess.h"

namespace graft {
namespace {

constexpr const char* kPhoto = GRAFT_BENCHMARK_FILES "/photo.jpg";  // 512 x 384

/// A photo file to the uint8 [224, 224, 3] that an evaluation takes of it, on one core.
void decode_and_fit(benchmark::State& state) {
  const OneThreadScope one_thread;
  const InputSpec input;
  for (auto _ : state) benchmark::DoNotOptimize(fit_image(decode_image_file(kPhoto, {}), input));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(decode_and_fit)->Unit(benchmark::kMillisecond);

void decode_alone(benchmark::State& state) {
  const OneThreadScope one_thread;
  for (auto _ : state) benchmark::DoNotOptimize(decode_image_file(kPhoto, {}));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(decode_alone)->Unit(benchmark::kMillisecond);

void fit_alone(benchmark::State& state) {
  const OneThreadScope one_thread;
  const InputSpec input;
  const at::Tensor photo = decode_image_file(kPhoto, {});
  for (auto _ : state) benchmark::DoNotOptimize(fit_image(photo, input));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(fit_alone)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace graft
