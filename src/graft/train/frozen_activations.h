#pragma once
#include <functional>
#include <map>
#include <optional>
#include <stop_token>

#include "graft/backbone/backbone.h"
#include "graft/data/activations.h"

namespace graft {

/// Gives batches of what crosses the boundary between frozen and trainable layers, computed once and kept where it
/// fits, else computed as they are asked for. One for the training images, one for those of validation.
class FrozenActivations {
 public:
  struct Options {
    std::string keep = "auto";  ///< "auto", "memory" or "off"
    std::uint64_t views = 1;    ///< distinct augmented views when kept; 1 without augmentation
    std::uint64_t seed = 0;
    std::size_t memory = 0;  ///< bytes that may be kept
  };

  FrozenActivations(ImageSource source, Options options) : source_(std::move(source)), options_(options) {}

  const std::vector<Sample>& samples() const { return source_.samples; }

  /// Prepares for a phase that trains above `boundary`. `shared` is the shallowest boundary of this phase and all later
  /// ones: what crosses it is computed once for all of them. Views kept at boundaries above which the phases so far
  /// have trained are dropped.
  void prepare(const Backbone& backbone, std::size_t boundary, std::size_t shared);
  bool keeps() const { return keeps_; }
  /// Bytes that all views will take at the boundaries in use.
  std::size_t planned_bytes() const { return planned_bytes_; }
  /// Seconds that computing kept views has taken so far.
  double filling_seconds() const { return filling_seconds_; }
  /// Forgets what lies above `boundary`, after layers above it were trained.
  void trained_above(std::size_t boundary);

  /// Calls `consume` for batches of `order` in turn, on the calling thread, with float [n, …] that may be written to
  /// and the indices of its rows.
  /// @param epoch  decides the view (kept) or the augmentation's seed (not kept)
  void for_each_batch(const std::vector<std::vector<std::int64_t>>& batches, std::uint64_t epoch,
                      const std::function<void(at::Tensor activations, const std::vector<std::int64_t>& rows)>& consume,
                      const std::function<void(std::size_t done, std::size_t total)>& progress,
                      const std::stop_token& stop);

 private:
  FrozenPart part(std::size_t from, std::size_t to) const;
  void ensure_view(std::uint64_t view, const std::function<void(std::size_t, std::size_t)>& progress,
                   const std::stop_token& stop);

  ImageSource source_;
  Options options_;
  const Backbone* backbone_ = nullptr;
  std::size_t boundary_ = 0;
  std::size_t shared_ = 0;
  bool keeps_ = false;
  std::size_t planned_bytes_ = 0;
  double filling_seconds_ = 0;
  std::map<std::size_t, ActivationCache> caches_;
};

}  // namespace graft
