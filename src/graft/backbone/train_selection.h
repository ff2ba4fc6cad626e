#pragma once
#include <torch/csrc/jit/api/module.h>

#include <set>
#include <string>
#include <vector>

#include "graft/backbone/backbone.h"

namespace graft {

/// What one phase trains.
struct TrainSelection {
  std::set<std::string> backbone;  ///< parameter paths of the backbone
  std::set<std::string> head;      ///< parameter paths of the head, without "head."
};

/// Applies the globs of a recipe's "train" in order. `*` crosses dots, a bare path means its subtree, `head` is Graft's
/// head (a backbone's own module of that name is `backbone.head`), `last:N` and `first:N` count stages, `!glob` takes
/// away what earlier ones gave.
/// @param subject  names the list in errors, such as "phases[0].train"
/// @throws Error for every glob that matches nothing, with the nearest names.
TrainSelection select_trained(const std::vector<std::string>& globs, const Backbone& backbone,
                              const std::vector<std::string>& head_parameters, const std::string& subject);

/// Whether BatchNorm layers that train keep their running statistics ("frozen") or follow the batches ("update").
enum class BatchNormStatistics { kFrozen, kUpdate };

/// Sets requires_grad of every parameter and the mode of every module: a module trains when a parameter of its subtree
/// does; one without parameters follows its parent; a BatchNorm also needs kUpdate.
void apply_selection(torch::jit::Module& module, const std::set<std::string>& trained, BatchNormStatistics statistics);

}  // namespace graft
