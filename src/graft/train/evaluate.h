#pragma once
#include <filesystem>
#include <functional>
#include <stop_token>
#include <vector>

#include "graft/artifact/predictor.h"
#include "graft/core/parallel.h"
#include "graft/data/dataset.h"
#include "graft/train/metrics.h"

namespace graft {

/// Maps a data set's labels onto an artifact's classes by name. Of numbers, there must be as many as it gives.
/// @throws Error naming the classes that the artifact does not know.
void match_classes(Dataset& dataset, const std::vector<std::string>& classes);

/// int64 [N]; of samples with values (several classes, or numbers) those: double [N, C].
at::Tensor labels_of(const Samples& samples);

/// The files of the samples, in their order.
std::vector<std::filesystem::path> paths_of(const Samples& samples);

/// How images are dealt out to workers: on a CPU none stands idle, on a GPU batches are whole.
Shares shares_of(const Predictor& predictor, std::size_t images, int workers);

/// Runs an artifact over images on `workers` threads: its answers, float [N, classes], in their order, fewer after a
/// stop.
/// @param progress  called with the number of images done
/// @throws Error when an image cannot be read, or the stop came before the first batch.
at::Tensor probabilities_of(const Predictor& predictor, const Samples& samples, int workers,
                            const std::function<void(std::size_t)>& progress, const std::stop_token& stop = {});

/// The task of an artifact. @throws Error when it is none that this Graft knows.
Task task_of(const Predictor& predictor);

/// Runs an artifact over labelled images on `workers` threads. Labels index the artifact's classes; samples must not be
/// empty.
/// @param progress  called with the number of images done
Metrics evaluate(const Predictor& predictor, const Samples& samples, int workers,
                 const std::function<void(std::size_t)>& progress, const std::stop_token& stop = {});

}  // namespace graft
