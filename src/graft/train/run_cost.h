#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "graft/core/json.h"

namespace graft {

/// What the training or the validation images of a phase cost below what trains. A row is what crosses a boundary for
/// one view of one image; its seconds are those of the wall clock while all workers are busy.
struct ImagesCost {
  std::int64_t images = 0;
  std::int64_t views = 0;        ///< of each that are kept; 0: none
  std::int64_t from_images = 0;  ///< rows that the phase computes from images
  std::int64_t from_shared = 0;  ///< and from rows that are kept at an earlier boundary
  double decode_s = 0;           ///< a row: decoding, augmentation, resizing
  double frozen_s = 0;           ///< a row: layers from the images to where rows are kept, or to the phase's boundary
  double above_s = 0;            ///< a row: layers from the earlier boundary on

  std::int64_t computed() const { return from_images + from_shared; }
  double decoding() const { return static_cast<double>(from_images) * decode_s; }
  double layers() const;
  /// Seconds for both if every epoch computed all rows from images.
  double anew(std::int64_t epochs) const;
};

/// One phase of a run. Seconds.
struct PhaseCost {
  std::string name, boundary;
  std::string kept_at;  ///< boundaries where rows are kept; "" where none are
  std::int64_t epochs = 1;
  std::size_t bytes = 0;  ///< that are kept
  ImagesCost train, val;
  double engines_s = 0;     ///< finding and compiling what computes the frozen layers
  double training_s = 0;    ///< steps of all epochs
  double validation_s = 0;  ///< layers that train over the validation images, and the metrics, in all epochs
  double saving_s = 0;      ///< checkpoints

  std::size_t megabytes() const { return (bytes + (1U << 20U) - 1) >> 20U; }  ///< rounded up
  double decoding() const { return train.decoding() + val.decoding(); }
  double layers() const { return engines_s + train.layers() + val.layers(); }
  double total() const { return decoding() + layers() + training_s + validation_s + saving_s; }
  /// The total if nothing were kept.
  double without_keeping() const;
};

/// A run. Seconds.
struct RunCost {
  double start_s = 0;  ///< loading the backbone and looking at the photos
  std::vector<PhaseCost> phases;
  double export_s = 0;

  double total() const;
  double without_keeping() const;
};

/// {"start_s", "phases": [{…}], "features_s", "epochs_s", "export_s", "total_s", "without_keeping_s"}: as in
/// metrics.json's "timing", but that features_s has what computes rows that are not kept, too.
Json to_json(const RunCost& cost);

/// "caching at blocks.5: 61 MB, saves 9 min of 11": of what the phase would take with nothing kept. Where no row is
/// computed, all were known.
std::string caching_text(const PhaseCost& phase);

}  // namespace graft
