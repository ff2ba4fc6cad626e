#pragma once
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "graft/backbone/train_selection.h"
#include "graft/train/frozen_activations.h"
#include "graft/train/linear_probe.h"
#include "graft/train/network.h"
#include "graft/train/recipe.h"

namespace graft {

/// What stands in the way of the phases whose optimizer takes all images at once: a head that is not linear, images
/// that change from epoch to epoch, options of single steps.
std::vector<Problem> full_batch_problems(const Recipe& recipe);
/// The same of what such a phase trains: all of the head's linear layer, and nothing below the head. None for others.
/// @param subject  "phases[0].train"
std::vector<Problem> full_batch_problems(const Recipe& recipe, const Phase& phase, const TrainSelection& selection,
                                         const std::string& subject);

/// Features [N, num_features] of the training images, on the network's device; fewer when a stop was asked for.
/// @throws Error when they are not kept, as there is no room for them
at::Tensor all_features(const Network& network, FrozenActivations& train, std::int64_t batch_size, const Phase& phase,
                        const FrozenProgress& progress, const std::stop_token& stop);

/// Trains a head of {"linear": "classes"}, or of that behind one batch_norm, on all images at once. The batch_norm's
/// running statistics become those of all features (variance: mean square), its scale and shift stay.
/// @param images  features as the backbone gives them, on the head's device
/// @returns nothing, and leaves the linear layer as it was, when a stop was asked for
/// @throws Error when the loss is no finite number
std::optional<ProbeFit> train_full_batch(torch::jit::Module& head, const HeadSpec& spec, ProbeImages images,
                                         const Loss& loss, const Phase& phase, const std::stop_token& stop);

/// "C = 1: 34 iterations, converged", for people.
std::string text_of(const ProbeFit& fit);

}  // namespace graft
