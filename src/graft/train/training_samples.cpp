#include "graft/train/training_samples.h"

#include <torch/types.h>

#include <algorithm>
#include <numeric>

#include "graft/core/random.h"

namespace graft {
namespace {

at::Tensor sample_weights(const Samples& samples) {
  std::vector<double> weights;
  bool all_one = true;
  for (const auto& sample : samples) weights.push_back(sample.weight), all_one = all_one && sample.weight == 1;
  return all_one ? at::Tensor() : torch::tensor(weights, at::kFloat);
}

std::vector<std::int64_t> shuffled(std::size_t count, RandomStream& random) {
  std::vector<std::int64_t> order(count);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  random.shuffle(order);
  return order;
}

/// As many draws with replacement as there are sums.
std::vector<std::int64_t> drawn(const std::vector<double>& sums, RandomStream& random) {
  std::vector<std::int64_t> order;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const auto found = std::upper_bound(sums.begin(), sums.end() - 1, random.uniform() * sums.back());
    order.push_back(found - sums.begin());
  }
  return order;
}

}  // namespace

Batches paired_batches(std::size_t count, std::int64_t batch_size) {
  Batches batches = batches_in_order(count, batch_size);
  if (batches.size() > 1 && batches.back().size() == 1) {
    batches[batches.size() - 2].push_back(batches.back()[0]);
    batches.pop_back();
  }
  return batches;
}

EpochBatches::EpochBatches(const BalanceSpec& balance, const Samples& samples,
                           const std::vector<std::int64_t>& class_counts, std::int64_t batch_size)
    : count_(samples.size()), batch_size_(batch_size) {
  if (!balance.draws()) return;
  const at::Tensor weights = class_weights(balance, class_counts);
  const auto weight = weights.accessor<double, 1>();
  double sum = 0;
  for (const auto& sample : samples) sums_.push_back(sum += weight[sample.label]);
}

std::int64_t EpochBatches::steps() const {
  return static_cast<std::int64_t>(paired_batches(count_, batch_size_).size());
}

Batches EpochBatches::operator()(std::uint64_t seed) const {
  RandomStream random(seed);
  const auto order = sums_.empty() ? shuffled(count_, random) : drawn(sums_, random);
  Batches batches = paired_batches(count_, batch_size_);
  for (auto& batch : batches)
    for (auto& row : batch) row = order[static_cast<std::size_t>(row)];
  return batches;
}

LossWeights loss_weights(const BalanceSpec& balance, const Samples& samples,
                         const std::vector<std::int64_t>& class_counts) {
  return {balance.draws() ? at::Tensor() : class_weights(balance, class_counts), sample_weights(samples)};
}

}  // namespace graft
