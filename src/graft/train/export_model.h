#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "graft/core/trust.h"
#include "graft/data/dataset.h"
#include "graft/train/network.h"
#include "graft/train/recipe.h"

namespace graft {

/// What an artifact is made of.
struct ModelSource {
  const Recipe& recipe;
  const Json& backbone_facts;
  const Dataset& dataset;
  const std::map<std::string, at::Tensor>& tensors;  ///< "head.…", "backbone.…"
  Network& network;                                  ///< set to `tensors` on return
  std::string precision = "fp32";                    ///< see Precision
  Trust trust = Trust::kScan;                        ///< in the backbone's program, which goes into the artifact
  /// float [N, num_features] of dataset.of(Split::kVal), where the layers that the file gets have computed them
  /// already, in float32; else undefined.
  at::Tensor val_features{};
};

struct ExportedModel {
  Json metrics;                  ///< by split, {"val": {…}, "test": {…}}, as measured on the file
  Json images;                   ///< how many by split
  at::Tensor val_probabilities;  ///< the file's answers, float [N, classes], in the order of dataset.of(Split::kVal)
};

/// Reloads the backbone's file, repeats the surgery, sets the tensors, writes the artifact, loads and compares it with
/// the network, measures it and writes the figures into it. The name `file` appears once all of this is done.
/// Where there are val_features, or an engine computes features faster, the file's head answers to these, and the whole
/// file to a few of the photos: if it answers otherwise there, it is run on all of them.
ExportedModel export_model(const ModelSource& source, const std::filesystem::path& file,
                           const std::function<void(const std::string&)>& message);

}  // namespace graft
