#include <ATen/Functions.h>
#include <benchmark/benchmark.h>
#include <unistd.h>

#include "graft/data/row_store.h"

namespace graft {
namespace {

/// A thousand feature vectors read back from a store, checksums included.
void read_rows(benchmark::State& state) {
  const auto folder = std::filesystem::temp_directory_path() / ("graft-benchmark-" + std::to_string(getpid()));
  constexpr std::int64_t kRows = 1000, kNumFeatures = 1280;
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < kRows; ++i) names.push_back(std::to_string(i));
  {
    RowStore store(folder, {{kNumFeatures}}, Json::object());
    store.add(names, at::randn({kRows, kNumFeatures}));
    const at::Tensor row = at::empty({kNumFeatures});
    for (auto _ : state)
      for (const auto& name : names) store.find(name, row);
  }
  state.SetItemsProcessed(state.iterations() * kRows);
  std::filesystem::remove_all(folder);
}
BENCHMARK(read_rows)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace graft
