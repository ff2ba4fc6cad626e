#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "graft/train/frozen_activations.h"
#include "graft/train/network.h"

namespace graft {

/// Estimates the running statistics of BatchNorm layers anew: the mean over batches of what each batch has, as
/// torch.optim.swa_utils.update_bn does, whatever the layers' momentum.
class BatchStatistics {
 public:
  /// @param buffers  among which the running statistics are, by their names; written in place
  /// @param forward  a pass in training mode, which may write to the batch
  BatchStatistics(std::map<std::string, at::Tensor> buffers, std::function<void(const at::Tensor& batch)> forward);

  /// A batch may be written to.
  void add(const at::Tensor& batch);
  /// Sets those that a pass moves; the others, and all where no batch was added, are as they were.
  void finish();

 private:
  struct Moving {
    at::Tensor buffer;
    at::Tensor sum;       // float64, of what passes from zero give
    double momentum = 0;  // the part of a batch in that
  };

  void find_moving(const at::Tensor& batch);
  void forward_from(double value, const at::Tensor& batch);

  std::map<std::string, at::Tensor> buffers_;
  std::function<void(const at::Tensor&)> forward_;
  std::vector<Moving> moving_;
  std::vector<at::Tensor> counts_;  // num_batches_tracked
  std::int64_t batches_ = 0;
};

/// Does so for all that trains of a network, over the images in order as an epoch sees them. The network is in training
/// mode then, and what it draws (dropout) is the caller's to seed.
/// @returns whether it came to the end: false when a stop was asked for
bool update_batch_statistics(Network& network, FrozenActivations& images, std::int64_t batch_size, std::uint64_t epoch,
                             const std::function<void(std::size_t done, std::size_t total)>& progress,
                             const std::stop_token& stop);

}  // namespace graft
