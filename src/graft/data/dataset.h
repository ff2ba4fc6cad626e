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

/// One labelled image.
struct Sample {
  std::filesystem::path path;
  std::int64_t label = 0;      ///< index into Dataset::classes
  std::optional<Split> split;  ///< as the source says it; every sample has one once the data set is loaded
  double weight = 1;           ///< of its term in the training loss
  std::string group{};         ///< samples of one group never straddle the split; "" for none
  std::string hash{};          ///< SHA-256 of the file's bytes
};

/// An image that was left out.
struct SkippedImage {
  std::filesystem::path path;
  std::string reason;
};

struct Dataset {
  std::string name;                  ///< the folder's or the table's name
  std::vector<std::string> classes;  ///< sorted by name
  std::vector<Sample> samples;       ///< in the source's order: sorted paths, or the table's lines
  std::vector<SkippedImage> skipped;

  std::vector<Sample> of(Split split) const;
  bool has(Split split) const;
  /// How many images of a split each class has, in the order of `classes`.
  std::vector<std::int64_t> class_counts(Split split) const;
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
};

/// Reads a folder of class folders, a folder with train/ and val/ (and test/), or a .csv/.tsv table with the columns
/// path, label and optionally split, weight, group. Every image is examined: hashed, and decoded at reduced
/// size to see that it can be.
/// @throws Error when nothing is there, a class is empty, there is one class only, or (kFail) an image cannot be read.
Dataset load_dataset(const std::filesystem::path& path, const DatasetOptions& options);

/// The sources: each lists samples with labels, and splits where it knows them.
Dataset list_image_folder(const std::filesystem::path& folder);
Dataset read_manifest(const std::filesystem::path& table);

/// Gives a split to samples that have none: within each class those with the lowest content hash, round(val * n) and at
/// least one, are validation.
void split_by_hash(std::vector<Sample>& samples, double val);

}  // namespace graft
