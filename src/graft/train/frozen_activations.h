#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>

#include "graft/backbone/backbone.h"
#include "graft/data/activations.h"
#include "graft/train/frozen_engines.h"

namespace graft {

/// Told how many images the frozen layers have computed.
using FrozenProgress = std::function<void(std::size_t done, std::size_t total)>;

/// Gives batches of what crosses the boundary between frozen and trainable layers, computed once and kept where it
/// fits, else computed as they are asked for. One for the training images, one for those of validation.
class FrozenActivations {
 public:
  struct Options {
    std::string keep = "auto";  ///< "auto", "memory", "disk" or "off"
    std::uint64_t views = 1;    ///< distinct augmented views when kept; 1 without augmentation
    std::uint64_t seed = 0;
    std::size_t memory = 0;                             ///< bytes that may be kept in memory
    std::filesystem::path stores{};                     ///< folder of what outlives a run; "" for none
    std::string precision{};                            ///< the recipe's: rows of one are none of another's business
    std::function<void(const std::string&)> message{};  ///< told what an earlier run has left
  };

  /// `engines` must outlive it.
  FrozenActivations(ImageSource source, Options options, FrozenEngines& engines)
      : source_(std::move(source)), options_(options), engines_(&engines) {}

  const std::vector<Sample>& samples() const { return source_.samples; }

  /// Prepares for a phase that trains above `boundary`. `shared` is the shallowest boundary of this phase and all later
  /// ones: what crosses it is computed once for all of them. Views kept at boundaries above which the phases so far
  /// have trained are dropped.
  /// @param epochs  passes over the images that the phases ask for, to tell how much there is to compute
  /// @throws Error when they must be kept on disk and there is no room
  void prepare(const Backbone& backbone, std::size_t boundary, std::size_t shared, std::int64_t epochs);
  bool keeps() const { return keeps_; }
  /// Whether what is kept outlives the run.
  bool on_disk() const { return on_disk_; }
  /// Bytes that all views will take at the boundaries in use.
  std::size_t planned_bytes() const { return planned_bytes_; }
  /// Seconds that computing kept views has taken so far.
  double filling_seconds() const { return filling_seconds_; }
  /// Forgets what lies above `boundary`, after layers above it were trained.
  void trained_above(std::size_t boundary);

  /// Calls `consume` for batches of `order` in turn, on the calling thread, with float [n, …] that may be written to
  /// and the indices of its rows.
  /// @param epoch  decides the view (kept) or the augmentation's seed (not kept)
  /// @param change  of images on their way; only where nothing is kept
  void for_each_batch(const Batches& batches, std::uint64_t epoch,
                      const std::function<void(at::Tensor activations, const std::vector<std::int64_t>& rows)>& consume,
                      const FrozenProgress& progress, const std::stop_token& stop, const BatchChange& change = {});

 private:
  FrozenPart part(std::size_t from, std::size_t to);
  std::size_t views() const { return source_.augmentation.empty() ? 1 : options_.views; }
  void plan(std::size_t here, std::size_t below);
  ActivationCache& cache_at(std::size_t boundary);
  std::shared_ptr<RowStore> store_at(std::size_t boundary) const;
  void ensure_view(std::uint64_t view, const FrozenProgress& progress, const std::stop_token& stop);
  void compute(std::uint64_t view, const FrozenProgress& progress, const std::stop_token& stop);
  void compute_above(std::uint64_t view, const std::vector<std::int64_t>& images);

  ImageSource source_;
  Options options_;
  FrozenEngines* engines_;
  const Backbone* backbone_ = nullptr;
  std::size_t boundary_ = 0;
  std::size_t shared_ = 0;
  std::size_t passes_ = 1;
  bool keeps_ = false;
  bool in_memory_ = true;
  bool on_disk_ = false;
  std::size_t planned_bytes_ = 0;
  double filling_seconds_ = 0;
  std::map<std::size_t, ActivationCache> caches_;
};

}  // namespace graft
