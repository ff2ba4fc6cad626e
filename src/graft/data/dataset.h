#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace graft {

enum class Split { kTrain, kVal, kTest };
std::string to_string(Split split);
/// "train", "val" (also "valid", "validation") or "test"; nothing for other words.
std::optional<Split> parse_split(const std::string& word);

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

/// One labelled image.
struct Sample {
  std::filesystem::path path;
  /// Index into Dataset::classes; of several classes that of the rarest, -1 of none; of numbers 0. The split goes by
  /// it.
  std::int64_t label = 0;
  std::optional<Split> split;  ///< as the source says it; every sample has one once the data set is loaded
  double weight = 1;           ///< of its term in the training loss
  std::string group{};         ///< samples of one group never straddle the split; "" for none
  std::string hash{};          ///< SHA-256 of the file's bytes
  /// For each of Dataset::classes: whether the image is of it (1 or 0, multi_label), or the number (regression); else
  /// none.
  std::vector<double> values{};
};

/// An image that was left out.
struct SkippedImage {
  std::filesystem::path path;
  std::string reason;
};

/// As many as `count` of 0 … size - 1, from all over them, in order.
std::vector<std::int64_t> spread(std::size_t size, std::size_t count);
/// These of the samples: each class that stands together has its part.
std::vector<Sample> some_of(const std::vector<Sample>& samples, std::size_t count);

struct Dataset {
  std::string name;                  ///< the folder's or the table's name
  std::vector<std::string> classes;  ///< sorted by name, or in their order (ordinal); of numbers "value", "value_1" …
  std::vector<Sample> samples;       ///< in the source's order: sorted paths, or the table's lines
  std::vector<SkippedImage> skipped;
  Task task = Task::kSingleLabel;

  std::vector<Sample> of(Split split) const;
  bool has(Split split) const;
  /// Whether an image is of a class, an index into `classes`; of numbers no image is.
  bool is_of(const Sample& sample, std::size_t label) const;
  /// How many images of a split each class has, in the order of `classes`; of numbers all are 0.
  std::vector<std::int64_t> class_counts(Split split) const;
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
