#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "graft/core/json.h"
#include "graft/train/scores.h"

namespace graft {

struct ClassMetrics {
  std::string name;
  std::int64_t support = 0;  ///< images of this class
  double precision = 0;      ///< 0 where nothing was predicted as this class (scikit-learn's zero_division=0)
  double recall = 0;
  double f1 = 0;
};

/// What a model's answers to labelled images are worth, scikit-learn's definitions. What is undefined is left out.
struct Metrics {
  std::int64_t images = 0;
  Figures figures;
  std::vector<ClassMetrics> per_class;               ///< none of numbers
  std::vector<std::vector<std::int64_t>> confusion;  ///< [true][predicted]; none but of one class each

  /// @throws Error when it is not defined on these images.
  double figure(const std::string& name) const;
};
/// Whether a lower figure of this name is better.
bool less_is_better(const std::string& figure);

/// One class each: accuracy, loss (mean cross-entropy of the probabilities, in nats), balanced_accuracy (mean recall
/// over the classes that occur), macro_f1 (mean F1 over the classes that occur or are predicted), and scores.
/// @param probabilities  float [N, C], rows summing to one
/// @param targets  int64 [N]; N at least 1
/// @param scores  names of those that are wanted beside: they may cost a sort a class; what is no score is passed over
Metrics classification_metrics(const at::Tensor& probabilities, const at::Tensor& targets,
                               const std::vector<std::string>& classes,
                               const std::vector<std::string>& scores = score_names());

/// The same of classes in an order, and behind accuracy: mae, the mean distance of the likeliest class's place from the
/// true one's, and quadratic_kappa, Cohen's kappa with squared distances as weights (Cohen 1968), undefined where one
/// class is all there is.
Metrics ordinal_metrics(const at::Tensor& probabilities, const at::Tensor& targets,
                        const std::vector<std::string>& classes,
                        const std::vector<std::string>& scores = score_names());

/// Any number of classes each, predicted from a probability of 0.5 on. average_precision and auroc are means over the
/// classes that occur (auroc: and not in every image), where there are any; loss is the mean binary cross-entropy in
/// nats; accuracy is the part of the images all of whose classes are right; macro_f1, micro_f1.
/// @param probabilities  float [N, C]
/// @param targets  double [N, C], 1 or 0; N at least 1
/// @param scores  which of average_precision and auroc are wanted
Metrics multi_label_metrics(const at::Tensor& probabilities, const at::Tensor& targets,
                            const std::vector<std::string>& classes,
                            const std::vector<std::string>& scores = score_names());

/// Numbers: rmse, mae, loss (mean squared error), r2 (with two images or more) and spearman (where neither side is
/// constant), each the mean over the outputs.
/// @param values  float [N, C]
/// @param targets  double [N, C]; N at least 1
/// @param outputs  their names
Metrics regression_metrics(const at::Tensor& values, const at::Tensor& targets, const std::vector<std::string>& outputs,
                           const std::vector<std::string>& = {});

/// {"images", the figures, and where there are classes "classes", "per_class", "confusion"}.
Json to_json(const Metrics& metrics);

/// Of a class with so many images right, predicted and true.
ClassMetrics class_metrics(const std::string& name, std::int64_t hits, std::int64_t predicted, std::int64_t support);

}  // namespace graft
