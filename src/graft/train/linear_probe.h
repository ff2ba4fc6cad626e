#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <stop_token>

#include "graft/optim/minimum.h"
#include "graft/train/loss.h"

namespace graft {

/// What a linear layer is fitted to, all of it at once.
struct ProbeImages {
  at::Tensor features;    ///< float [N, F]
  at::Tensor targets;     ///< int64 [N]
  LossWeights weights{};  ///< of classes, and of the N images
};

struct LinearLayer {
  at::Tensor weight;  ///< [C, F]
  at::Tensor bias;    ///< [C], or undefined
};

struct ProbeFit {
  LinearLayer layer;  ///< float64
  double C = 1;       ///< as given or chosen
  double loss = 0;    ///< the mean over the images, without the penalty
  Minimum minimum;    ///< the last search for it; its value has the penalty
};

/// The values of C from which "cv" chooses: ten from 1e-4 to 1e4, evenly by their logarithms.
std::vector<double> probe_strengths();

/// Minimises loss + |weight|² / (2 · C · sum of the images' weights) over weight and bias, in float64; of two classes
/// the penalty is twice that. For cross-entropy this is scikit-learn's LogisticRegression(C). With "C": "cv", C is what
/// classifies most images right over five stratified folds, the smaller of equals, each fold walking the values upwards
/// from its last minimum (LogisticRegressionCV).
/// @param start  where the search starts
/// @returns nothing when a stop was asked for
/// @throws Error when there are too few images for five folds
std::optional<ProbeFit> fit_linear_probe(const ProbeImages& images, const LinearLayer& start, const Loss& loss,
                                         const OptimizerSpec& spec, const std::stop_token& stop = {});

}  // namespace graft
