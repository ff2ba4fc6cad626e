#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "graft/data/sample.h"

namespace graft {

/// What is to be known of an image: the recipe's "task".
enum class Task {
  kSingleLabel,  ///< the class that it is of
  kMultiLabel,   ///< the classes that it is of: any number of them
  kRegression,   ///< a number, or several
  kOrdinal,      ///< the class that it is of, where classes stand in an order
};
/// "single_label", "multi_label", "regression", "ordinal".
const std::vector<std::string>& task_names();
std::string to_string(Task task);
/// Whether an image is of exactly one class.
bool one_class_each(Task task);
/// @param name  one of task_names()
Task task_named(const std::string& name);

/// An image that was left out.
struct SkippedImage {
  std::filesystem::path path;
  std::string reason;
};

struct Dataset {
  std::string name;                  ///< the folder's or the table's name
  std::vector<std::string> classes;  ///< sorted by name, or in their order (ordinal); of numbers "value", "value_1" …
  std::vector<std::string> groups{};  ///< sorted by name
  std::vector<Sample> samples;        ///< in the source's order: sorted paths, or the table's lines
  std::vector<SkippedImage> skipped;
  Task task = Task::kSingleLabel;

  /// Those of a split; what has none yet trains.
  Samples of(Split split) const&;
  Samples of(Split split) && = delete;
  bool has(Split split) const;
  /// Whether an image is of a class, an index into `classes`; of numbers no image is.
  bool is_of(const Sample& sample, std::size_t label) const;
  /// How many of these images each class has, in the order of `classes`; of numbers all are 0.
  std::vector<std::int64_t> class_counts(const Samples& among) const;
  std::vector<std::int64_t> class_counts(Split split) const { return class_counts(of(split)); }
};

/// How the labels of a source are read.
struct LabelOptions {
  Task task = Task::kSingleLabel;
  std::vector<std::string>
      order{};  ///< of an ordinal task's classes; none: by number where all are numbers, else by name
};

enum class OnBadImage { kSkip, kFail };

struct DatasetOptions {
  double val = 0.2;  ///< part of each class that validates where the source does not say
  OnBadImage on_bad_image = OnBadImage::kSkip;
  int workers = 1;
  /// Told of each image that is left out, in order; may be empty.
  std::function<void(const SkippedImage&)> on_skipped{};
  /// Where what was found in images is kept for later runs (image_index.h); "" nowhere.
  std::filesystem::path image_indexes{};
  /// Told what an earlier run has left; may be empty.
  std::function<void(const std::string&)> on_message{};
  LabelOptions labels{};
};

/// Reads a folder of class folders, a folder with train/ and val/ (and test/), or a .csv/.tsv table with the columns
/// path, label and optionally split, weight, group. Every image is examined: hashed, and decoded at reduced
/// size to see that it can be.
/// @throws Error when nothing is there, labels do not fit the task, a class is empty, there is one class only (of
/// multi_label: none), or (kFail) an image cannot be read.
Dataset load_dataset(const std::filesystem::path& path, const DatasetOptions& options);

/// Samples with labels, and splits where the source knows them, before any image is opened.
/// @throws Error when nothing is there, or labels do not fit the task.
Dataset list_dataset(const std::filesystem::path& path, const LabelOptions& options = {});
/// The sources, whose classes are in order of name.
Dataset list_image_folder(const std::filesystem::path& folder);
Dataset read_manifest(const std::filesystem::path& table, Task task = Task::kSingleLabel);

/// Gives a split to samples that have none: of each label those with the lowest content hash, round(val * n) and at
/// least one, are validation. Of several classes, which stand for others too, one at least trains.
void split_by_hash(std::vector<Sample>& samples, double val, Task task = Task::kSingleLabel);

}  // namespace graft
