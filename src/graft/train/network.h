#pragma once
#include <c10/core/Device.h>

#include <map>
#include <string>
#include <vector>

#include "graft/backbone/backbone.h"
#include "graft/backbone/train_selection.h"
#include "graft/optim/optimizer.h"

namespace graft {

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
  /// What crosses the boundary (on any device; may be written to) -> what the head gets [N, num_features].
  at::Tensor features(at::Tensor activations);
  /// … -> logits [N, classes].
  at::Tensor logits(at::Tensor activations);

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
  Backbone backbone_;
  torch::jit::Module head_;
  c10::Device device_;
  TrainSelection selection_;
  BatchNormStatistics statistics_ = BatchNormStatistics::kFrozen;
  std::size_t boundary_ = 0;
};

/// Copies of tensors, detached from what trains.
std::map<std::string, at::Tensor> copy_tensors(const std::map<std::string, at::Tensor>& tensors);
/// Copies values into tensors of the same names. @throws Error when names or shapes differ.
void restore_tensors(const std::map<std::string, at::Tensor>& into, const std::map<std::string, at::Tensor>& values,
                     const std::string& subject);

}  // namespace graft
