#pragma once
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "graft/backbone/graph.h"

namespace graft::graph {

using Sizes = std::vector<std::int64_t>;

/// The sizes and types of all tensors that a graph's nodes take or give, as one run on two rows shows them: on one,
/// what is broadcast over rows would look as if it were not.
class KnownTensors {
 public:
  /// @param two_rows  the graph's inputs, two rows among them
  /// @param rows  that will run as a rule
  KnownTensors(const std::shared_ptr<Graph>& graph, torch::jit::Stack two_rows, std::int64_t rows);

  /// On two rows; empty for a value that was not there.
  const Sizes& sizes(const Value* value) const;
  /// On as many rows as will run.
  Sizes expected_sizes(const Value* value) const;
  /// Undefined for a value that was not there.
  at::ScalarType type(const Value* value) const;
  /// `value` stands for `other` from now on.
  void set_as(const Value* value, const Value* other);

 private:
  struct Known {
    Sizes sizes{};
    at::ScalarType type = at::ScalarType::Undefined;
  };
  const Known& find(const Value* value) const;

  std::int64_t rows_;
  std::unordered_map<const Value*, Known> known_;
};

}  // namespace graft::graph
