#pragma once
#include <cstdint>
#include <vector>

#include "graft/data/activations.h"
#include "graft/data/dataset.h"
#include "graft/train/balance.h"
#include "graft/train/loss.h"

namespace graft {

/// How epochs go through the training images: each once, in an order that the seed decides, or as many draws with
/// replacement, by data.balance. A last batch of one image joins the one before it: batch statistics need two.
class EpochBatches {
 public:
  EpochBatches(const BalanceSpec& balance, const Samples& samples, const std::vector<std::int64_t>& class_counts,
               std::int64_t batch_size);

  std::int64_t steps() const;  ///< batches of an epoch
  Batches operator()(std::uint64_t seed) const;

 private:
  std::size_t count_;
  std::int64_t batch_size_;
  std::vector<double> sums_;  // of what the images up to each one weigh; none where each is taken once
};

/// Cuts 0 … count - 1 as EpochBatches cuts an epoch.
Batches paired_batches(std::size_t count, std::int64_t batch_size);

/// What training images weigh in the loss: their own weights, and their classes' where data.balance says so.
LossWeights loss_weights(const BalanceSpec& balance, const Samples& samples,
                         const std::vector<std::int64_t>& class_counts);

}  // namespace graft
