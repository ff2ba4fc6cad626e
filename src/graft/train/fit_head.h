#pragma once
#include <stop_token>

#include "graft/head/head_spec.h"
#include "graft/train/frozen_activations.h"
#include "graft/train/network.h"

namespace graft {

/// Before the first step of a run: lets a head that whitens its features do so by those of the training images, one
/// pass over them. Leaves other heads alone.
/// @returns false, and leaves the head as it was, when a stop was asked for
bool fit_head(Network& network, const HeadSpec& head, FrozenActivations& train, std::int64_t batch_size,
              const FrozenProgress& progress, const std::stop_token& stop);

}  // namespace graft
