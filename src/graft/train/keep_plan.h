#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "graft/core/json.h"

namespace graft {

/// What a phase reads: the rows of one view an epoch, at its boundary.
struct RowUse {
  std::size_t boundary = 0;
  std::int64_t epochs = 1;
  bool again = false;  ///< read beside that too: by a head that is fitted, a minimum over all images
};

/// Everything that decides which rows are kept. Counts and bytes alone, no clock: equal runs decide alike.
struct KeepQuestion {
  std::string keep = "auto";  ///< "auto", "memory", "disk" or "off"
  std::size_t images = 0;
  std::size_t views = 1;       ///< distinct ones of each image
  std::vector<RowUse> phases;  ///< the one that begins, then those that come after it
  std::function<std::size_t(std::size_t boundary)> row_bytes;
  std::size_t memory = 0;  ///< bytes that may be kept in memory
  std::size_t disk = 0;    ///< and on disk; 0: nothing may
};

/// The rows that are kept for a phase. They are read in its epochs; layers between them and the phase's boundary, where
/// there are any, run anew every epoch.
struct KeepPlan {
  bool in_memory = false;
  bool on_disk = false;
  std::size_t boundary = 0;    ///< which they cross
  std::size_t shared = 0;      ///< from whose rows they are computed, kept too for later phases; the same: from images
  std::size_t views = 1;       ///< of each image, in this phase
  std::size_t bytes = 0;       ///< of all of them at both boundaries
  std::size_t disk_bytes = 0;  ///< of these on disk: images as they are stay in memory

  bool keeps() const { return in_memory || on_disk; }
};
Json to_json(const KeepPlan& plan);
KeepPlan read_keep_plan(const Json& json);

/// Rows are kept at the phase's boundary, and at the shallowest boundary of all phases, where they fit; else at the
/// deepest earlier boundary where they do. Under "auto" none that are read once, unless on disk for later runs.
KeepPlan plan_keeping(const KeepQuestion& question);

}  // namespace graft
