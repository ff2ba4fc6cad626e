#include "graft/core/pickle_values.h"

#include <algorithm>

namespace graft {

PickleExtent measure_pickle(const std::vector<PickleValue>& values, std::size_t root) {
  constexpr std::int64_t kEnough = std::int64_t{1} << 40;
  enum State : char { kUnseen, kOpen, kDone };
  struct Frame {
    std::size_t value, next;
  };
  std::vector<char> states(values.size(), kUnseen);
  std::vector<PickleExtent> extents(values.size());
  std::vector<Frame> frames{{root, 0}};
  states[root] = kOpen;
  while (!frames.empty()) {
    const auto [value, next] = frames.back();
    const auto& children = values[value].children;
    if (next < children.size()) {
      ++frames.back().next;
      const std::size_t child = children[next];
      if (states[child] == kOpen) return {.circular = true};
      if (states[child] == kUnseen) {
        states[child] = kOpen;
        frames.push_back({child, 0});
      }
      continue;
    }
    auto& extent = extents[value];
    for (const std::size_t child : children) {
      extent.depth = std::max(extent.depth, extents[child].depth);
      extent.walk = std::min(kEnough, extent.walk + extents[child].walk);
    }
    ++extent.depth;
    ++extent.walk;
    states[value] = kDone;
    frames.pop_back();
  }
  return extents[root];
}

}  // namespace graft
