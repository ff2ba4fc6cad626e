#pragma once
#include <c10/core/Device.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "graft/data/dataset.h"
#include "graft/train/frozen_activations.h"
#include "graft/train/frozen_engines.h"
#include "graft/train/network.h"
#include "graft/train/trainer.h"

namespace graft {

/// What a run computes with, made ready before its first phase. Its parts refer to each other: it stays where it is.
class PreparedRun {
 public:
  struct Listener {
    std::function<void(const std::string&)> message;
    std::function<void(const SkippedImage&)> skipped_image;
  };

  /// @param spec  must outlive it
  /// @param memory_given  bytes that kept activations may take; 0: half of what is free
  /// @throws Error for whatever data, recipe or backbone can cause; every phase's globs are resolved, so that a mistake
  /// in the last phase shows before the first.
  PreparedRun(const RunSpec& spec, c10::Device device, std::size_t memory_given, const Listener& listener);
  PreparedRun(const PreparedRun&) = delete;
  PreparedRun& operator=(const PreparedRun&) = delete;

  Dataset dataset;
  torch::jit::Module answer;  ///< answer_module, on the CPU
  Network network;
  std::vector<TrainSelection> selections;  ///< one a phase
  std::size_t memory;                      ///< bytes that kept activations may take
  FrozenEngines engines;
  FrozenActivations train;
  FrozenActivations val;

  /// The tensors that the run may change.
  std::map<std::string, at::Tensor> tensors() const;
  void begin_phase(std::size_t phase);
  /// Forgets what was computed with layers that the phase has trained.
  void end_phase();
  /// How the frozen layers of the phase are computed, for people.
  std::string plan_text() const;
  /// Seconds that computing what is kept has taken so far.
  double filling_seconds() const { return train.filling_seconds() + val.filling_seconds(); }

 private:
  /// The shallowest boundary of this phase and all later ones.
  std::size_t shared_boundary(std::size_t phase) const;

  const Recipe& recipe_;  // of the spec
};

}  // namespace graft
