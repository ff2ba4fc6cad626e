#include "graft/train/evaluate.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "graft/core/error.h"
#include "graft/core/names.h"
#include "graft/core/parallel.h"

namespace graft {

void match_classes(Dataset& dataset, const std::vector<std::string>& classes) {
  std::vector<std::int64_t> index;
  std::vector<Problem> problems;
  for (const auto& name : dataset.classes) {
    const auto found = std::find(classes.begin(), classes.end(), name);
    if (found == classes.end())
      problems.push_back({"data '" + dataset.name + "'", "class '" + name + "' is unknown to the model",
                          "among " + join(classes), did_you_mean(name, classes)});
    index.push_back(found - classes.begin());
  }
  if (!problems.empty()) throw Error(problems);
  for (auto& sample : dataset.samples) sample.label = index[static_cast<std::size_t>(sample.label)];
  dataset.classes = classes;
}

at::Tensor labels_of(const std::vector<Sample>& samples) {
  std::vector<std::int64_t> labels;
  for (const auto& sample : samples) labels.push_back(sample.label);
  return at::tensor(labels, at::kLong);
}

at::Tensor probabilities_of(const Predictor& predictor, const std::vector<Sample>& samples, int workers,
                            const std::function<void(std::size_t)>& progress, const std::stop_token& stop) {
  const std::size_t size = predictor.batch_size();
  const std::size_t batches = (samples.size() + size - 1) / size;
  std::vector<at::Tensor> rows;
  std::size_t done = 0;
  const auto run_batch = [&](std::size_t batch) {
    const auto begin = batch * size;
    std::vector<at::Tensor> images;
    for (std::size_t i = begin; i < std::min(samples.size(), begin + size); ++i)
      images.push_back(predictor.fitted(samples[i].path));
    return predictor.probabilities(at::stack(images));
  };
  OrderedParallel<at::Tensor>::run(
      batches, workers, run_batch,
      [&](std::size_t, const at::Tensor& batch) {
        rows.push_back(batch);
        done += static_cast<std::size_t>(batch.size(0));
        progress(done);
      },
      stop);
  if (rows.empty()) throw Error({"evaluation", "was stopped before its first batch", "", ""});
  return at::cat(rows);
}

ClassificationMetrics evaluate(const Predictor& predictor, const std::vector<Sample>& samples, int workers,
                               const std::function<void(std::size_t)>& progress, const std::stop_token& stop) {
  const at::Tensor rows = probabilities_of(predictor, samples, workers, progress, stop);
  return classification_metrics(rows, labels_of(samples).narrow(0, 0, rows.size(0)), predictor.classes());
}

}  // namespace graft
