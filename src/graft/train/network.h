#pragma once
#include <c10/core/Device.h>

#include <map>
#include <string>
#include <vector>

#include "graft/backbone/backbone.h"
#include "graft/backbone/train_selection.h"
#include "graft/optim/optimizer.h"

namespace graft {

/// How the backbone's layers that train are computed; weights, their gradients and the head are float32 in all of them.
enum class StepFormat {
  kPlain,
  kChannelsLast,  ///< maps and convolutions' weights
  kBfloat16,      ///< products in bfloat16 (at::autocast), in channels_last
};

/// A backbone with a head grafted on: what trains.
class Network {
 public:
  Network(Backbone backbone, torch::jit::Module head, c10::Device device);

  Backbone& backbone() { return backbone_; }
  const Backbone& backbone() const { return backbone_; }
  torch::jit::Module& head() { return head_; }
  c10::Device device() const { return device_; }
  std::vector<std::string> head_parameters() const;

  /// Decides what trains from here on, and where frozen meets trainable.
  void select(const TrainSelection& selection, BatchNormStatistics statistics);
  /// The boundary below which nothing trains.
  std::size_t boundary() const { return boundary_; }
  /// Puts everything into eval mode, or back into the modes of the selection.
  void eval();
  void train();
  /// How what trains of the backbone is computed from here on; plain at first.
  void compute_in(StepFormat format);
  /// What crosses the boundary (on any device; may be written to) -> float [N, num_features].
  at::Tensor features(at::Tensor activations);
  /// The same -> logits [N, classes].
  at::Tensor logits(at::Tensor activations);

  /// "head.…", "backbone.…": the buffers that a pass in training mode may change.
  std::map<std::string, at::Tensor> moving_buffers() const;

  /// The trained parameters: the head at scale 1, each stage below it at `layer_lr_decay` times the one above; weights
  /// of two dimensions or more with weight decay, biases and normalisations without.
  std::vector<ParameterGroup> parameter_groups(double layer_lr_decay) const;
  /// The places that train, the head first, then stages from the features down, with the scales that parameter_groups
  /// gives them. What belongs to no stage stands under "backbone".
  std::vector<std::pair<std::string, double>> lr_scales(double layer_lr_decay) const;
  std::int64_t trained_parameters() const;
  std::int64_t frozen_parameters() const;
  /// Numbers that at least one of `selections` trains.
  std::int64_t trained_parameters(const std::vector<TrainSelection>& selections) const;

  /// The named tensors that training may change: "head.…" all of the head, "backbone.…" what `selections` name, with
  /// every buffer if statistics may move.
  std::map<std::string, at::Tensor> tensors(const std::vector<TrainSelection>& selections, bool with_buffers) const;

 private:
  at::MemoryFormat layout() const;
  void set_modes(bool training);

  Backbone backbone_;
  torch::jit::Module head_;
  c10::Device device_;
  TrainSelection selection_;
  std::vector<torch::jit::Module> training_;  // what is in training mode while the selection trains
  BatchNormStatistics statistics_ = BatchNormStatistics::kFrozen;
  std::size_t boundary_ = 0;
  StepFormat format_ = StepFormat::kPlain;
};

/// Copies of tensors, detached from what trains.
std::map<std::string, at::Tensor> copy_tensors(const std::map<std::string, at::Tensor>& tensors);
/// Copies values into tensors of the same names. @throws Error when names or shapes differ.
void restore_tensors(const std::map<std::string, at::Tensor>& into, const std::map<std::string, at::Tensor>& values,
                     const std::string& subject);

}  // namespace graft
