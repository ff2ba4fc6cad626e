#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "graft/core/json.h"

namespace graft {

/// A run's curves as TensorBoard reads them: `loss/train`, `loss/val`, `val/METRIC` and `lr/PLACE` by step, from the
/// records of history.jsonl. Records are those of TFRecord, messages TensorFlow's event.proto and summary.proto.
class TensorBoardEvents {
 public:
  /// The file is made with the first epoch. What other files of its folder hold of that step and later ones no longer
  /// counts: a run that was killed may have written an epoch that its checkpoint does not know.
  explicit TensorBoardEvents(std::filesystem::path path) : path_(std::move(path)) {}

  /// @param epoch  a record of history.jsonl
  /// @throws Error when the file cannot be written.
  void write(const Json& epoch);

 private:
  void start(std::int64_t step);
  void put(const std::string& content, std::int64_t step);

  std::filesystem::path path_;
  std::ofstream file_;
};

}  // namespace graft
