#pragma once
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graft/data/dataset.h"
#include "graft/train/engine_verdicts.h"
#include "graft/train/frozen_activations.h"
#include "graft/train/frozen_engines.h"
#include "graft/train/network.h"
#include "graft/train/step_format.h"
#include "graft/train/take_gradient.h"
#include "graft/train/teacher.h"
#include "graft/train/trainer.h"

namespace graft {

/// What a run computes with, made ready before its first phase. Its parts refer to each other: it stays where it is.
class PreparedRun {
 public:
  struct Listener {
    std::function<void(const std::string&)> message;
    std::function<void(const SkippedImage&)> skipped_image;
  };

  /// @param spec  must outlive it; its recipe gets what it leaves to the data
  /// @param memory_given  bytes that kept activations may take; 0: half of what is free
  /// @param first_phase   that it computes; behind the last one the teacher's file is not looked at
  /// @throws Error for whatever data, recipe or backbone can cause; every phase's globs are resolved, so that a mistake
  /// in the last phase shows before the first.
  PreparedRun(RunSpec& spec, c10::Device device, std::size_t memory_given, const Listener& listener,
              std::size_t first_phase = 0);
  PreparedRun(const PreparedRun&) = delete;
  PreparedRun& operator=(const PreparedRun&) = delete;

  Dataset dataset;
  torch::jit::Module answer;  ///< answer_module, on the CPU
  Network network;
  std::vector<TrainSelection> selections;        ///< one a phase
  std::map<std::string, at::Tensor> pretrained;  ///< tensors() before training, where a phase's penalty holds to them
  std::size_t memory;                            ///< bytes that kept activations may take
  FrozenEngines engines;
  /// Float32 ones where `engines` may use bfloat16: what is validated is then what the exported file will give.
  std::optional<FrozenEngines> val_engines;
  FrozenActivations train;
  FrozenActivations val;

  /// Lets the recipe's teacher, if there is one, look at the training images, once a run. False when a stop was asked
  /// for.
  /// @param first  so many of them alone, for an estimate
  bool ask_teacher(const FrozenProgress& progress, const std::stop_token& stop, std::size_t first = SIZE_MAX);
  /// What the training images are held against; a teacher must have been asked.
  TrainingLoss training_loss() const;
  /// The tensors that the run may change.
  std::map<std::string, at::Tensor> tensors() const;
  void begin_phase(std::size_t phase);
  /// How frozen layers and those that train are computed; a run that goes on with these computes the same bits.
  Json ways() const;
  void use_ways(const Json& ways);
  /// Whether the last phase keeps the features of the validation images in float32, and no phase trains the backbone.
  bool keeps_val_features() const;
  /// These, float [N, num_features]; undefined where there are none, as after a stop.
  at::Tensor val_features(const FrozenProgress& progress, const std::stop_token& stop);
  /// Forgets what was computed with layers that the phase has trained.
  void end_phase();
  /// Starts the head's layers that start from data (init lsuv) by the given training images; a run that ends before its
  /// first step may do it again. Nothing where there are none, or where a stop was asked for.
  void start_head(const std::vector<std::int64_t>& images,
                  const std::function<void(std::size_t done, std::size_t total)>& progress,
                  const std::stop_token& stop);
  /// How the frozen layers of the phase are computed, for people.
  std::string plan_text() const;
  /// After an epoch: what is kept where and what that saves, once a phase; "" where nothing is kept or it was said.
  /// @param seconds  that the epoch has taken in this process, but for computing what is kept
  std::string caching_text(double seconds);
  /// Boundaries where rows of the phase are kept, for people; "" where none are.
  std::string kept_at() const;
  /// Seconds that computing what is kept has taken so far.
  double filling_seconds() const { return train.filling_seconds() + val.filling_seconds(); }

 private:
  /// What this phase and all later ones read.
  std::vector<RowUse> row_uses(std::size_t phase) const;
  void prepare_rows(std::size_t phase);
  void choose_step_format(std::size_t phase);
  StepTrial find_step_format(std::size_t phase);

  const Recipe& recipe_;  // of the spec
  std::function<void(const std::string&)> message_;
  EngineVerdicts verdicts_;
  std::map<std::size_t, StepFormat> formats_;  // by phase
  struct KeptRows {
    KeepPlan train, val;
  };
  std::map<std::size_t, KeptRows> kept_;  // by phase
  std::optional<std::size_t> phase_;      // that has begun last
  bool told_caching_ = false;
  std::optional<Teacher> teacher_;  // until it was asked
  Distillation distillation_;
};

}  // namespace graft
