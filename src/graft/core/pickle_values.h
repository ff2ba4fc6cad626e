#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace graft {

/// One value that a pickle describes.
struct PickleValue {
  enum class Kind { kPlain, kInteger, kString, kGlobal, kTuple, kList, kDict, kObject, kStorage, kTensor } kind;
  std::int64_t number = 0;              ///< an integer's value; a storage's elements
  std::string text{};                   ///< a string's, or a global's "module name"
  std::vector<std::size_t> children{};  ///< numbers of the values that it holds
};

/// How deep a value is nested, and how many values a walk over it meets.
struct PickleExtent {
  bool circular = false;
  std::int64_t depth = 0, walk = 0;
};

/// Measures what hangs on `root`, without recursion. `walk` counts a value that is held twice twice, and stops at 2^40.
PickleExtent measure_pickle(const std::vector<PickleValue>& values, std::size_t root);

}  // namespace graft
