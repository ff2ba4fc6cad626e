#include "graft/data/dataset.h"

#include <c10/util/Exception.h>

#include <algorithm>

#include "graft/core/error.h"
#include "graft/data/examine.h"
#include "graft/data/image_index.h"
#include "graft/data/labels.h"

namespace graft {
namespace {

void examine_all(Dataset& dataset, const std::filesystem::path& source, const DatasetOptions& options) {
  ImageIndex index(options.image_indexes, source, options.on_message);
  const std::size_t total = dataset.samples.size();
  index.expect(total);
  examine_samples(
      dataset, options.workers, [&](const std::string& path) { return index.examine(path); },
      [&](const Sample& sample, const Examined& examined) {
        if (examined.problem.empty()) return;
        if (options.on_bad_image == OnBadImage::kFail)
          throw Error({"image '" + sample.path + "'", examined.problem, "an image",
                       "delete it, or set data.on_bad_image to \"skip\""});
        if (options.on_skipped) options.on_skipped({sample.path, examined.problem});
      });
  index.save();
  if (options.on_message && index.unchanged() > 0)
    options.on_message("images: " + std::to_string(index.unchanged()) + " of " + std::to_string(total) +
                       " unchanged since an earlier run, not examined again");
}

void check_classes(const Dataset& dataset, const std::string& subject) {
  if (dataset.classes.size() < fewest_classes(dataset.task))
    throw Error({subject,
                 dataset.classes.empty() ? "holds no classes" : "holds the one class '" + dataset.classes[0] + "'",
                 "at least two classes", "one folder of photos for each class"});
  if (dataset.task == Task::kRegression) return;
  std::vector<Problem> problems;
  const auto counts = dataset.class_counts(Split::kTrain);
  for (std::size_t label = 0; label < counts.size(); ++label)
    if (counts[label] == 0)
      problems.push_back(
          {subject, "class '" + dataset.classes[label] + "' has no readable training image", "at least one photo", ""});
  if (!problems.empty()) throw Error(problems);
}

}  // namespace

const std::vector<std::string>& task_names() {
  static const std::vector<std::string> kNames{"single_label", "multi_label", "regression", "ordinal"};
  return kNames;
}

std::string to_string(Task task) { return task_names()[static_cast<std::size_t>(task)]; }

bool one_class_each(Task task) { return task == Task::kSingleLabel || task == Task::kOrdinal; }

Task task_named(const std::string& name) {
  const auto& names = task_names();
  const auto found = std::find(names.begin(), names.end(), name);
  TORCH_CHECK(found != names.end(), "no task is called '", name, "'");
  return static_cast<Task>(found - names.begin());
}

Samples Dataset::of(Split split) const& {
  Samples chosen;
  for (const auto& sample : samples)
    if (sample.split.value_or(Split::kTrain) == split) chosen.add(sample);
  return chosen;
}

bool Dataset::has(Split split) const {
  return std::any_of(samples.begin(), samples.end(), [&](const Sample& sample) { return sample.split == split; });
}

bool Dataset::is_of(const Sample& sample, std::size_t label) const {
  if (task == Task::kRegression) return false;
  return sample.values.empty() ? sample.label == static_cast<std::int64_t>(label) : sample.values[label] == 1;
}

std::vector<std::int64_t> Dataset::class_counts(const Samples& among) const {
  std::vector<std::int64_t> counts(classes.size(), 0);
  for (const auto& sample : among) {
    if (one_class_each(task)) ++counts.at(static_cast<std::size_t>(sample.label));
    for (std::size_t label = 0; label < sample.values.size(); ++label) counts[label] += is_of(sample, label) ? 1 : 0;
  }
  return counts;
}

Dataset list_dataset(const std::filesystem::path& path, const LabelOptions& options) {
  const std::string subject = "data '" + path.string() + "'";
  if (!std::filesystem::exists(path))
    throw Error({subject, "is not there", "a folder of class folders, or a .csv or .tsv table", ""});
  const bool folder = std::filesystem::is_directory(path);
  Dataset dataset = folder ? list_image_folder(path) : read_manifest(path, options.task);
  dataset.task = options.task;
  fit_labels(dataset, options.order, subject);
  const auto absolute = std::filesystem::weakly_canonical(path);
  dataset.name = (folder ? absolute : absolute.parent_path()).filename().string();
  return dataset;
}

Dataset load_dataset(const std::filesystem::path& path, const DatasetOptions& options) {
  const std::string subject = "data '" + path.string() + "'";
  Dataset dataset = list_dataset(path, options.labels);
  if (dataset.classes.size() >= fewest_classes(dataset.task)) examine_all(dataset, path, options);
  check_classes(dataset, subject);
  if (!dataset.has(Split::kVal)) split_by_hash(dataset.samples, options.val, dataset.task);
  for (auto& sample : dataset.samples) sample.split = sample.split.value_or(Split::kTrain);
  check_classes(dataset, subject);
  if (!dataset.has(Split::kVal))
    throw Error({subject, "has too few photos to part some off for validation",
                 "a class that two photos or more are of, or a column split", ""});
  return dataset;
}

}  // namespace graft
