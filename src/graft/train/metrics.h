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

/// Single-label classification figures, scikit-learn's definitions.
struct ClassificationMetrics {
  std::int64_t images = 0;
  double accuracy = 0;
  double loss = 0;               ///< mean cross-entropy of the probabilities, in nats
  double balanced_accuracy = 0;  ///< mean recall over the classes that occur
  double macro_f1 = 0;           ///< mean F1 over the classes that occur or are predicted
  Scores scores;
  std::vector<ClassMetrics> per_class;
  std::vector<std::vector<std::int64_t>> confusion;  ///< [true][predicted]
};

/// @param probabilities  float [N, C], rows summing to one
/// @param targets  int64 [N]; N at least 1
/// @param scores  names of those that are wanted beside: they may cost a sort a class; what is no score is passed over
ClassificationMetrics classification_metrics(const at::Tensor& probabilities, const at::Tensor& targets,
                                             const std::vector<std::string>& classes,
                                             const std::vector<std::string>& scores = score_names());

/// {"images", "accuracy", "loss", "balanced_accuracy", "macro_f1", the scores, "classes", "per_class", "confusion"}.
Json to_json(const ClassificationMetrics& metrics);

}  // namespace graft
