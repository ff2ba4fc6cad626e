#pragma once
#include <map>

#include "graft/train/frozen_activations.h"
#include "graft/train/recipe.h"
#include "graft/train/run_cost.h"

namespace graft {

/// Some of the training or the validation images of a run on their way to the boundary, timed.
class TimedImages {
 public:
  /// @param set  of the run; it and `engines` must outlive this
  TimedImages(const FrozenActivations& set, FrozenEngines& engines);

  /// Of a phase that has begun.
  /// @param unchanged  the boundary below which no phase has trained yet
  ImagesCost in_phase(const Backbone& backbone, const Phase& phase, std::size_t boundary, std::size_t unchanged);
  /// That the last phase's boundary is crossed by.
  const at::Tensor& rows() const { return rows_; }
  /// What finding and compiling engines has taken of the run's time in the last phase.
  double take_engine_seconds() { return std::exchange(engine_seconds_, 0); }
  void trained_above(std::size_t boundary);

 private:
  double idle(std::size_t images) const;
  void count(ImagesCost& cost, const Phase& phase, std::size_t boundary, std::size_t unchanged);
  FrozenPart part(const Backbone& backbone, std::size_t from, std::size_t to, std::size_t passes, std::int64_t rows);
  at::Tensor pass(const FrozenPart& part);
  double decoding();
  at::Tensor raise(const FrozenPart& part);

  const FrozenActivations& set_;
  FrozenEngines& engines_;
  ImageSource source_;                        // of a few
  std::map<std::size_t, std::size_t> known_;  // views by boundary, of the phases so far
  at::Tensor rows_;
  double seconds_ = 0, decode_seconds_ = 0, engine_seconds_ = 0;
};

}  // namespace graft
