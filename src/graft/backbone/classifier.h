#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "graft/backbone/graph.h"

namespace graft {

/// What is done about the classifier: found by rule, taken for features although it looks like one, or cut although it
/// may be features.
enum class ClassifierChoice { kAuto, kKeep, kReplace };
/// "auto", "keep", "replace".
const std::vector<std::string>& classifier_choice_names();
/// @param name  one of classifier_choice_names()
ClassifierChoice classifier_choice(const std::string& name);

/// What a user may say where rules do not reach.
struct FeaturesChoice {
  std::string path = {};  ///< module whose output is the features; "": they are found
  ClassifierChoice classifier = ClassifierChoice::kAuto;
};

/// The layer that was cut off.
struct Classifier {
  std::string path;         ///< module path, "head + head_dist" for two; "" for a backbone that has none
  std::int64_t in = 0;      ///< its inputs, the features
  std::int64_t out = 0;     ///< its outputs, the old classes
  std::string rule;         ///< how it was found, for people
  int outputs_dropped = 0;  ///< further outputs of the network, such as those of auxiliary heads
  bool found() const { return out > 0; }
};

namespace graph {

/// Makes the graph return the features. Unless `choice` says where they are, walks from the output back to the
/// classifier: through softmax, sigmoid, dropout, reshaping, scalar arithmetic, tuples, lists and dicts (their first
/// tensor), and branches on `training` (the eval side), to the last linear, addmm, matmul or 1x1 convolution with a
/// weight of the module's, and returns what that layer is fed, dropout stripped:
/// - one linear layer: its input;
/// - several whose inputs are one value (averaged heads): that value; else each becomes the identity and the
/// combination stays;
/// - several that work on different numbers of features: these, side by side;
/// - a 1x1 convolution becomes the identity, the pooling behind it stays.
/// A graph that ends in a normalisation, activation, pooling or another layer of a network's body has no classifier: it
/// returns its output, and found() is false.
/// @throws Error with the candidates where neither is certain, and where the choice's path names no module.
Classifier cut_classifier(std::shared_ptr<Graph>& graph, const torch::jit::Module& self, const FeaturesChoice& choice,
                          const std::string& subject);

}  // namespace graph
}  // namespace graft
