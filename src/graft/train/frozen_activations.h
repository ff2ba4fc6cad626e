#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "graft/backbone/backbone.h"
#include "graft/data/activations.h"
#include "graft/train/frozen_engines.h"
#include "graft/train/keep_plan.h"
#include "graft/train/run_cost.h"

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
    bool looks_only = false;                            ///< for an estimate: what other runs have left there stays
    std::string precision = "auto";                     ///< the recipe's: rows of one are none of another's business
    std::function<void(const std::string&)> message{};  ///< told what an earlier run has left
  };

  /// `engines` must outlive it.
  FrozenActivations(ImageSource source, Options options, FrozenEngines& engines)
      : source_(std::move(source)), options_(options), engines_(&engines) {}

  const ImageSource& source() const { return source_; }
  const Samples& samples() const { return source_.samples; }

  /// Prepares for a phase, the first of `phases`; what is kept for it may serve those after it. Views kept at
  /// boundaries above which the phases so far have trained are dropped.
  /// @param decided  what an earlier process of the run has decided for the phase, for a run that goes on: where there
  /// was room for it, augmentation draws and layers are split as they were
  /// @throws Error when they must be kept on disk and there is no room
  void prepare(const Backbone& backbone, const std::vector<RowUse>& phases,
               const std::optional<KeepPlan>& decided = std::nullopt);
  const KeepPlan& kept() const { return keep_; }
  bool keeps() const { return keep_.keeps(); }
  /// How many images of each view of the phase an earlier run has left at a boundary.
  std::vector<std::size_t> stored(std::size_t boundary) const;
  /// What the phase costs by what its first view has taken; nothing where no rows were computed yet.
  std::optional<ImagesCost> measured() const;
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
  /// Rows that went through the layers between two boundaries.
  struct Passed {
    std::int64_t rows = 0;
    double seconds = 0;
    double each() const { return seconds / static_cast<double>(rows); }
  };
  using Between = std::pair<std::size_t, std::size_t>;

  KeepPlan decide(const std::vector<RowUse>& phases) const;
  bool has_room(const KeepPlan& plan) const;

  FrozenPart part(std::size_t from, std::size_t to);
  std::size_t views() const { return source_.augmentation.empty() ? 1 : options_.views; }
  ActivationCache& cache_at(std::size_t boundary);
  /// How rows are kept: images as their pixels, maps and sequences as bfloat16 where precision is not asked for.
  RowForm row_form(std::size_t boundary) const;
  /// Kept rows as they cross the boundary.
  at::Tensor kept_rows(std::size_t boundary, std::uint64_t view, const std::vector<std::int64_t>& images) const;
  const std::string& digest_below(std::size_t boundary) const;
  std::filesystem::path store_folder(std::size_t boundary) const;
  std::shared_ptr<RowStore> store_at(std::size_t boundary) const;
  void ensure_view(std::uint64_t view, const FrozenProgress& progress, const std::stop_token& stop);
  void tell_known(std::size_t images);
  void compute(std::uint64_t view, const FrozenProgress& progress, const std::stop_token& stop);
  /// @returns the rows
  std::int64_t note(Between between, std::size_t rows, double seconds);
  void compute_above(std::uint64_t view, const std::vector<std::int64_t>& images);
  void read(const Batches& batches, std::uint64_t view,
            const std::function<void(at::Tensor, const std::vector<std::int64_t>&)>& consume,
            const std::stop_token& stop);

  ImageSource source_;
  Options options_;
  FrozenEngines* engines_;
  const Backbone* backbone_ = nullptr;
  std::size_t boundary_ = 0;
  KeepPlan keep_;
  std::size_t passes_ = 1;
  std::size_t told_known_ = 0;
  double filling_seconds_ = 0;
  std::map<Between, Passed> passed_;  // in all phases
  std::int64_t computed_ = 0;         // rows of this phase from images
  std::int64_t raised_ = 0;           // and from the shared boundary
  std::map<std::size_t, ActivationCache> caches_;
  mutable std::map<std::size_t, std::string> digests_;  // of the layers below a boundary, in this phase
};

}  // namespace graft
