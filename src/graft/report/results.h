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
  double wrong = 0;  ///< 1 - probability of its class; of several the mean over the classes; of numbers how far off
  std::string certainty = "";  ///< "87.0 %", of what it is taken for, where it is of one class
};

/// What a finished run has left in its folder.
struct RunResults {
  std::string name;  ///< the folder's
  Json recipe;
  Json metrics;
  std::vector<Json> history;
  std::vector<JudgedPhoto> photos;  ///< a few that are taken for another, where none is the least certain; worst first
};

/// @throws Error when the run is not finished, or a file is damaged.
RunResults read_results(const RunFolder& folder);

}  // namespace graft
