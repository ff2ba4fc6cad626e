#include "graft/train/batch_statistics.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "graft/train/training_samples.h"

namespace graft {
namespace {

// A start beside which what a batch adds is nothing: dropout before a layer makes two passes add different things.
constexpr double kMark = 1 << 20;

}  // namespace

BatchStatistics::BatchStatistics(std::map<std::string, at::Tensor> buffers,
                                 std::function<void(const at::Tensor& batch)> forward)
    : buffers_(std::move(buffers)), forward_(std::move(forward)) {}

void BatchStatistics::add(const at::Tensor& batch) {
  const torch::NoGradGuard no_grad;
  if (batches_++ == 0) find_moving(batch);
  if (moving_.empty()) return;
  forward_from(0, batch);
  for (auto& moving : moving_) moving.sum.add_(moving.buffer);
}

void BatchStatistics::finish() {
  const torch::NoGradGuard no_grad;
  for (auto& moving : moving_) moving.buffer.copy_(moving.sum / (moving.momentum * static_cast<double>(batches_)));
  for (auto& count : counts_) count.fill_(batches_);
}

/// A layer's momentum is a constant in its code, but shows in how much of a start is left after a pass.
void BatchStatistics::find_moving(const at::Tensor& batch) {
  const auto before = copy_tensors(buffers_);
  forward_(batch.clone());
  for (const auto& [name, buffer] : buffers_) {
    if (buffer.equal(before.at(name).to(buffer.device()))) continue;
    if (name.ends_with("num_batches_tracked")) counts_.push_back(buffer);
    if (name.ends_with("running_mean") || name.ends_with("running_var"))
      moving_.push_back({buffer, at::zeros_like(buffer, at::kDouble)});
  }
  if (moving_.empty()) return;
  forward_from(0, batch.clone());
  std::vector<at::Tensor> unmarked;
  for (const auto& moving : moving_) unmarked.push_back(moving.buffer.clone());
  forward_from(kMark, batch.clone());
  for (std::size_t i = 0; i < moving_.size(); ++i) {
    // Where the batch itself adds least, the difference is least rounded.
    const at::Tensor place = unmarked[i].abs().argmin();
    const at::Tensor left = moving_[i].buffer.to(at::kDouble).flatten()[place] - unmarked[i].flatten()[place];
    moving_[i].momentum = 1 - left.item<double>() / kMark;
  }
}

/// A momentum of "none" divides by the number of batches: it is the first, always.
void BatchStatistics::forward_from(double value, const at::Tensor& batch) {
  for (auto& moving : moving_) moving.buffer.fill_(value);
  for (auto& count : counts_) count.zero_();
  forward_(batch);
}

bool update_batch_statistics(Network& network, FrozenActivations& images, std::int64_t batch_size, std::uint64_t epoch,
                             const std::function<void(std::size_t done, std::size_t total)>& progress,
                             const std::stop_token& stop) {
  network.train();
  const Batches batches = paired_batches(images.samples().size(), batch_size);
  std::size_t done = 0;
  BatchStatistics statistics(network.moving_buffers(), [&](const at::Tensor& batch) { network.logits(batch); });
  images.for_each_batch(
      batches, epoch, [&](const at::Tensor& batch, const auto&) { statistics.add(batch), ++done; }, progress, stop);
  statistics.finish();
  return done == batches.size();
}

}  // namespace graft
