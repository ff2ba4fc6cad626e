#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>

#include "graft/core/json.h"
#include "graft/data/dataset.h"

namespace graft {

/// Where a run keeps its files (docs/guide.md lists them).
class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}

  /// Makes the folder. @throws Error when it holds a run already or cannot be made.
  void create() const;
  /// Takes back what was written before the first checkpoint was complete: such a folder could neither be resumed nor
  /// used again.
  void abandon() const;
  /// "runs/NAME-N" with the lowest N that is free.
  static std::filesystem::path next(const std::string& name);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path recipe() const { return path_ / "recipe.json"; }
  std::filesystem::path last_checkpoint() const { return path_ / "checkpoint" / "last.pt"; }
  std::filesystem::path best_checkpoint() const { return path_ / "checkpoint" / "best.pt"; }
  /// What becomes best.pt once last.pt speaks of it.
  std::filesystem::path next_best_checkpoint() const { return path_ / "checkpoint" / "best.next.pt"; }
  std::filesystem::path split() const { return path_ / "split.csv"; }
  std::filesystem::path skipped() const { return path_ / "skipped.csv"; }
  std::filesystem::path log() const { return path_ / "log.txt"; }
  std::filesystem::path history() const { return path_ / "history.jsonl"; }
  std::filesystem::path metrics() const { return path_ / "metrics.json"; }
  std::filesystem::path predictions() const { return path_ / "predictions.csv"; }
  /// Of TensorBoard, for a process of the run: a name that is free and sorts behind those that are there, as it reads
  /// them in the order of their names.
  std::filesystem::path new_events() const;
  std::filesystem::path report() const { return path_ / "report.html"; }
  std::filesystem::path model() const { return path_ / "model.pt"; }

  void write_recipe(const Json& recipe) const;
  /// One line a sample: path relative to the folder, label, split, hash.
  void write_split(const Dataset& dataset) const;
  /// One line an image that was left out: path relative to the folder, reason.
  void write_skipped(const Dataset& dataset) const;
  /// One line a validation image: path relative to the folder, label, what was predicted (answer_text), and where there
  /// are classes the probability of each.
  /// @param answers  float [N, classes], in the order of dataset.of(Split::kVal)
  void write_predictions(const Dataset& dataset, const at::Tensor& answers) const;
  /// One JSON line an epoch.
  void write_history(const Json& records) const;
  /// The same for those who watch: what has to last is written anew with the next checkpoint.
  void show_history(const Json& records) const;

 private:
  std::string csv_path(const std::filesystem::path& image) const;

  std::filesystem::path path_;
};

}  // namespace graft
