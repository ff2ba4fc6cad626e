#include <ATen/Functions.h>
#include <benchmark/benchmark.h>

#include "graft/head/build_head.h"
#include "graft/train/loss.h"
#include "graft/train/network.h"
#include "graft/train/step_format.h"

namespace graft {
namespace {

constexpr std::int64_t kBatch = 32, kClasses = 10;

/// One step of fine-tuning a whole network: forward, backward, update.
void full_step(benchmark::State& state, const char* name) {
  Backbone backbone = Backbone::load(std::string(GRAFT_BENCHMARK_FILES "/") + name + ".pt", {.trust = Trust::kScan});
  std::vector<Problem> problems;
  const HeadSpec head = read_head_spec(Json::parse(R"([{"linear": "classes"}])"), "head", problems);
  auto module = build_head(head, backbone.num_features(), kClasses, 0);
  Network network(std::move(backbone), std::move(module), c10::kCPU);
  network.select(select_trained({"*"}, network.backbone(), network.head_parameters(), "train"),
                 BatchNormStatistics::kUpdate);
  network.train();
  const auto optimizer = make_optimizer({.name = "adamw"}, network.parameter_groups(1));
  const Loss loss = make_loss({});
  const at::Tensor images = at::randn({kBatch, 3, 224, 224}).contiguous(at::MemoryFormat::ChannelsLast);
  choose_step_format(network, images.narrow(0, 0, 8), {.bfloat16 = true, .timed_rows = kBatch});  // as a long run does
  const at::Tensor targets = at::randint(kClasses, {kBatch}, at::kLong);
  for (auto _ : state) {
    const at::Tensor value = loss(network.logits(images.clone()), targets, {});
    optimizer->zero_grad();
    value.backward();
    optimizer->step({1e-4, {}});
    benchmark::DoNotOptimize(value.item<float>());
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}
BENCHMARK_CAPTURE(full_step, resnet18, "resnet18")->Unit(benchmark::kMillisecond)->UseRealTime()->MinWarmUpTime(4);
BENCHMARK_CAPTURE(full_step, mobilenet_v2, "mobilenet_v2")
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MinWarmUpTime(4);

}  // namespace
}  // namespace graft
