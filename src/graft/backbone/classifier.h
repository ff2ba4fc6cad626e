#pragma once
#include <cstdint>
#include <string>

#include "graft/backbone/graph.h"

namespace graft {

/// The layer that was cut off.
struct Classifier {
  std::string path;      ///< module path, "head + head_dist" for two; "" for a backbone that has none
  std::int64_t in = 0;   ///< its inputs, the features
  std::int64_t out = 0;  ///< its outputs, the old classes
  std::string rule;      ///< how it was found, for people
  bool found() const { return out > 0; }
};

namespace graph {

/// Walks from the graph's output back to the classifier: through softmax, sigmoid, dropout, reshaping, scalar
/// arithmetic, tuples, lists and dicts (their first tensor), and branches on `training` (the eval side), to the last
/// linear, addmm, matmul or 1x1 convolution with a weight of the module's. Makes the graph return what that layer is
/// fed, dropout stripped:
/// - one linear layer: its input;
/// - several whose inputs are one value (averaged heads): that value; else each becomes the identity and the
/// combination stays;
/// - a 1x1 convolution becomes the identity, the pooling behind it stays.
/// A graph that ends in anything else has no classifier: it returns its output, and found() is false.
Classifier cut_classifier(std::shared_ptr<Graph>& graph, const torch::jit::Module& self, const std::string& subject);

}  // namespace graph
}  // namespace graft
