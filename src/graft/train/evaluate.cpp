#include "graft/train/evaluate.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "graft/artifact/metadata.h"
#include "graft/core/error.h"
#include "graft/core/names.h"
#include "graft/train/task.h"

namespace graft {

namespace {

/// The values of an image in the artifact's order: 0 for a class that the data do not name.
std::vector<double> rearranged(const std::vector<double>& values, const std::vector<std::size_t>& index,
                               std::size_t classes) {
  std::vector<double> found(classes, 0);
  for (std::size_t k = 0; k < values.size(); ++k) found[index[k]] = values[k];
  return found;
}

}  // namespace

void match_classes(Dataset& dataset, const std::vector<std::string>& classes) {
  const std::string subject = "data '" + dataset.name + "'";
  if (dataset.task == Task::kRegression && dataset.classes != classes)
    throw Error({subject, "has " + std::to_string(dataset.classes.size()) + " numbers for each photo",
                 std::to_string(classes.size()) + ", as the model gives", ""});
  std::vector<std::size_t> index;
  std::vector<Problem> problems;
  for (const auto& name : dataset.classes) {
    const auto found = std::find(classes.begin(), classes.end(), name);
    if (found == classes.end())
      problems.push_back({subject, "class '" + name + "' is unknown to the model", "among " + join(classes),
                          did_you_mean(name, classes)});
    index.push_back(static_cast<std::size_t>(found - classes.begin()));
  }
  if (!problems.empty()) throw Error(problems);
  for (auto& sample : dataset.samples) {
    if (sample.label >= 0) sample.label = static_cast<std::int64_t>(index[static_cast<std::size_t>(sample.label)]);
    if (!sample.values.empty()) sample.values = rearranged(sample.values, index, classes.size());
  }
  dataset.classes = classes;
}

at::Tensor labels_of(const Samples& samples) {
  std::vector<std::int64_t> labels;
  std::vector<double> values;
  for (const auto& sample : samples) {
    labels.push_back(sample.label);
    values.insert(values.end(), sample.values.begin(), sample.values.end());
  }
  if (values.empty()) return at::tensor(labels, at::kLong);
  const auto count = static_cast<std::int64_t>(samples.size());
  return at::tensor(values, at::kDouble).view({count, -1});
}

std::vector<std::filesystem::path> paths_of(const Samples& samples) {
  std::vector<std::filesystem::path> paths;
  for (const auto& sample : samples) paths.push_back(sample.path);
  return paths;
}

Task task_of(const Predictor& predictor) {
  const std::string& name = predictor.metadata().task;
  const auto& names = task_names();
  if (!contains(names, name))
    throw Error({"artifact", "is for the task '" + name + "'", "one of " + join(names), "update Graft"});
  return task_named(name);
}

Shares shares_of(const Predictor& predictor, std::size_t images, int workers) {
  return {images, predictor.runs_on_cpu() ? workers : 1, predictor.batch_size()};
}

at::Tensor probabilities_of(const Predictor& predictor, const Samples& samples, int workers,
                            const std::function<void(std::size_t)>& progress, const std::stop_token& stop) {
  const Shares batches = shares_of(predictor, samples.size(), workers);
  std::vector<at::Tensor> rows;
  std::size_t done = 0;
  const auto run_batch = [&](std::size_t batch) {
    std::vector<at::Tensor> images;
    for (std::size_t i = batches.begin(batch); i < batches.end(batch); ++i)
      images.push_back(predictor.fitted(samples[i].path));
    return predictor.probabilities(at::stack(images));
  };
  OrderedParallel<at::Tensor>::run(
      batches.count(), workers, run_batch,
      [&](std::size_t, const at::Tensor& batch) {
        rows.push_back(batch);
        done += static_cast<std::size_t>(batch.size(0));
        progress(done);
      },
      stop);
  if (rows.empty()) throw Error({"evaluation", "was stopped before its first batch", "", ""});
  return at::cat(rows);
}

Metrics evaluate(const Predictor& predictor, const Samples& samples, int workers,
                 const std::function<void(std::size_t)>& progress, const std::stop_token& stop) {
  const at::Tensor rows = probabilities_of(predictor, samples, workers, progress, stop);
  return task_row(task_of(predictor))
      .measure(rows, labels_of(samples).narrow(0, 0, rows.size(0)), predictor.classes(), score_names());
}

}  // namespace graft
