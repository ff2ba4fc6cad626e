#pragma once
#include <string>
#include <vector>

#include "graft/train/run_folder.h"

namespace graft {

/// A validation photo as the exported file sees it.
struct JudgedPhoto {
  std::filesystem::path path;
  std::string label;
  std::string predicted;
  double of_label = 0;      ///< probability of its class
  double of_predicted = 0;  ///< of what it is taken for
};

/// What a finished run has left in its folder.
struct RunResults {
  std::string name;  ///< the folder's
  Json recipe;
  Json metrics;
  std::vector<Json> history;
  std::vector<JudgedPhoto> photos;  ///< least probability of its own class first; none but of one class each
};

/// @throws Error when the run is not finished, or a file is damaged.
RunResults read_results(const RunFolder& folder);

}  // namespace graft
