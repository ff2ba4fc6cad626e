#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "graft/core/json.h"

namespace graft {

/// A phase's "average", a name of the table with its options: whether a running mean of the weights is what is
/// validated, kept as best and exported, while training goes on with the weights themselves. "ema": timm's ModelEmaV3;
/// "swa": torch.optim.swa_utils.AveragedModel after each epoch.
struct AverageSpec {
  std::string name = "none";
  Json options = Json::object();  ///< as read: every option; by hand: some may be left out
  bool averages() const { return name != "none"; }
  std::int64_t start() const;  ///< the epoch of the phase, counted from 1, whose end is the first that it takes in
  /// Whether the running statistics of batches are to be estimated anew for the mean of weights after an epoch, counted
  /// from 1: a mean of weights of several epochs has statistics of its own.
  bool lacks_statistics(std::int64_t epoch) const;
};
/// In the table's order.
const std::vector<std::string>& average_names();
AverageSpec read_average_spec(const Json& value, const std::string& path, std::vector<Problem>& problems);
Json to_json(const AverageSpec& spec);

/// The running mean of tensors that train in place.
class WeightAverage {
 public:
  using Tensors = std::map<std::string, at::Tensor>;

  /// @param tensors  those that train; the mean starts as a copy of them
  WeightAverage(const AverageSpec& spec, Tensors tensors, std::int64_t steps_per_epoch);

  /// Takes the tensors in as they are after a step of the phase, counted from 1. Whole numbers are copied.
  void update(std::int64_t step);
  /// Sets the mean to what tensors() of an earlier process gave; an empty one leaves it as it is.
  void restore(const Tensors& mean);
  /// Exchanges the values of the mean and of what trains; a second time puts them back.
  void exchange();
  /// The mean, where they are not exchanged.
  const Tensors& tensors() const { return mean_; }

 private:
  double (*decay_)(const Json& options, std::int64_t step, std::int64_t steps_per_epoch);
  Json options_;
  std::int64_t steps_per_epoch_;
  Tensors training_;
  Tensors mean_;
};

}  // namespace graft
