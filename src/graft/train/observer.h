#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "graft/data/dataset.h"
#include "graft/train/metrics.h"

namespace graft {

/// What is known at the end of an epoch.
struct EpochRecord {
  std::size_t phase = 0;  ///< from 0
  std::string phase_name;
  std::int64_t epoch = 0;    ///< from 0 within the phase
  std::int64_t epochs = 0;   ///< of the phase
  double learning_rate = 0;  ///< of the epoch's last step, before a group's scale
  double train_loss = 0;
  Metrics validation;
  bool best = false;   ///< the best of the run so far
  double seconds = 0;  ///< in all the processes that ran a part of it
};

/// What a phase is about to do.
struct PhaseRecord {
  std::size_t phase = 0;
  std::size_t phases = 0;
  std::string name;
  std::int64_t epochs = 0;
  std::string boundary;                 ///< where frozen meets trainable
  std::int64_t trained_parameters = 0;  ///< numbers that train, backbone and head
  std::int64_t frozen_parameters = 0;
  std::string plan;  ///< what is cached and where, in words
};

/// Told what a run does. All calls come from the thread that runs the trainer.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_message(const std::string& /*text*/) {}
  virtual void on_skipped_image(const SkippedImage& /*image*/) {}
  virtual void on_phase(const PhaseRecord& /*phase*/) {}
  /// Images that have passed the frozen layers, of `total`.
  virtual void on_frozen_progress(std::size_t /*done*/, std::size_t /*total*/) {}
  /// Images that the teacher has looked at, of `total`.
  virtual void on_teacher_progress(std::size_t /*done*/, std::size_t /*total*/) {}
  virtual void on_step(std::int64_t /*step*/, std::int64_t /*steps*/) {}
  virtual void on_epoch(const EpochRecord& /*epoch*/) {}
};

}  // namespace graft
