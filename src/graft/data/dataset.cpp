#include "graft/data/dataset.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "graft/core/error.h"
#include "graft/core/parallel.h"
#include "graft/data/image_index.h"
#include "graft/data/labels.h"

namespace graft {
namespace {

void examine_all(Dataset& dataset, const std::filesystem::path& source, const DatasetOptions& options) {
  ImageIndex index(options.image_indexes, source, options.on_message);
  std::vector<Sample> readable;
  OrderedParallel<Examined>::run(
      dataset.samples.size(), options.workers, [&](std::size_t i) { return index.examine(dataset.samples[i].path); },
      [&](std::size_t i, Examined examined) {
        auto& sample = dataset.samples[i];
        if (examined.problem.empty()) {
          sample.hash = std::move(examined.hash);
          readable.push_back(std::move(sample));
          return;
        }
        if (options.on_bad_image == OnBadImage::kFail)
          throw Error({"image '" + sample.path.string() + "'", examined.problem, "an image",
                       "delete it, or set data.on_bad_image to \"skip\""});
        dataset.skipped.push_back({sample.path, examined.problem});
        if (options.on_skipped) options.on_skipped(dataset.skipped.back());
      });
  index.save();
  if (options.on_message && index.unchanged() > 0)
    options.on_message("images: " + std::to_string(index.unchanged()) + " of " +
                       std::to_string(dataset.samples.size()) + " unchanged since an earlier run, not examined again");
  dataset.samples = std::move(readable);
}

void check_classes(const Dataset& dataset, const std::string& subject) {
  if (dataset.classes.size() < fewest_classes(dataset.task))
    throw Error({subject,
                 dataset.classes.empty() ? "holds no classes" : "holds the one class '" + dataset.classes[0] + "'",
                 "at least two classes", "one folder of photos for each class"});
  if (dataset.task == Task::kRegression) return;
  std::vector<Problem> problems;
  for (std::size_t label = 0; label < dataset.classes.size(); ++label) {
    const bool trains = std::any_of(dataset.samples.begin(), dataset.samples.end(), [&](const Sample& sample) {
      return dataset.is_of(sample, label) && sample.split.value_or(Split::kTrain) == Split::kTrain;
    });
    if (!trains)
      problems.push_back(
          {subject, "class '" + dataset.classes[label] + "' has no readable training image", "at least one photo", ""});
  }
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

std::string to_string(Split split) {
  static constexpr std::array kNames{"train", "val", "test"};
  return kNames[static_cast<std::size_t>(split)];
}

std::optional<Split> parse_split(const std::string& word) {
  static const std::map<std::string, Split> kWords{{"train", Split::kTrain},
                                                   {"val", Split::kVal},
                                                   {"valid", Split::kVal},
                                                   {"validation", Split::kVal},
                                                   {"test", Split::kTest}};
  const auto found = kWords.find(word);
  return found == kWords.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::int64_t> spread(std::size_t size, std::size_t count) {
  count = std::min(count, size);
  std::vector<std::int64_t> chosen;
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(static_cast<std::int64_t>(i * size / count));
  return chosen;
}

std::vector<Sample> some_of(const std::vector<Sample>& samples, std::size_t count) {
  std::vector<Sample> some;
  for (const auto i : spread(samples.size(), count)) some.push_back(samples[static_cast<std::size_t>(i)]);
  return some;
}

std::vector<Sample> Dataset::of(Split split) const {
  std::vector<Sample> chosen;
  std::copy_if(samples.begin(), samples.end(), std::back_inserter(chosen),
               [&](const Sample& sample) { return sample.split == split; });
  return chosen;
}

bool Dataset::has(Split split) const {
  return std::any_of(samples.begin(), samples.end(), [&](const Sample& sample) { return sample.split == split; });
}

bool Dataset::is_of(const Sample& sample, std::size_t label) const {
  if (task == Task::kRegression) return false;
  return sample.values.empty() ? sample.label == static_cast<std::int64_t>(label) : sample.values[label] == 1;
}

std::vector<std::int64_t> Dataset::class_counts(Split split) const {
  std::vector<std::int64_t> counts(classes.size(), 0);
  for (const auto& sample : samples)
    for (std::size_t label = 0; label < classes.size(); ++label)
      if (sample.split == split && is_of(sample, label)) ++counts[label];
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

void split_by_hash(std::vector<Sample>& samples, double val, Task task) {
  /// What goes to one side as a whole: a photo, or all photos of a group.
  struct Unit {
    std::string hash;
    std::vector<Sample*> members;
  };
  std::map<std::int64_t, std::map<std::string, Unit>> classes;
  std::map<std::string, std::int64_t> label_of_group;
  for (auto& sample : samples) {
    if (sample.split && *sample.split != Split::kTrain) continue;
    const bool alone = sample.group.empty();
    const auto label = alone ? sample.label : label_of_group.emplace(sample.group, sample.label).first->second;
    auto& unit = classes[label][alone ? "photo " + sample.hash + sample.path.string() : "group " + sample.group];
    unit.hash = unit.members.empty() ? sample.hash : std::min(unit.hash, sample.hash);
    unit.members.push_back(&sample);
  }
  for (auto& [label, by_name] : classes) {
    std::vector<Unit*> units;
    std::size_t count = 0;
    for (auto& [name, unit] : by_name) units.push_back(&unit), count += unit.members.size();
    std::stable_sort(units.begin(), units.end(), [](const Unit* a, const Unit* b) { return a->hash < b->hash; });
    const auto part = static_cast<std::size_t>(std::lround(val * static_cast<double>(count)));
    const auto wanted = std::min(std::max<std::size_t>(1, part), task == Task::kMultiLabel ? count - 1 : count);
    std::size_t taken = 0;
    for (const Unit* unit : units) {
      const Split split = taken < wanted ? Split::kVal : Split::kTrain;
      for (Sample* sample : unit->members) sample->split = split;
      taken += unit->members.size();
    }
  }
}

}  // namespace graft
