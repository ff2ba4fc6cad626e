#include "graft/train/stratified_folds.h"

#include <map>

namespace graft {

std::vector<std::int64_t> stratified_folds(const std::vector<std::int64_t>& labels, std::int64_t folds) {
  std::map<std::int64_t, std::int64_t> rank;  // label -> its place in the order of first appearance
  std::vector<std::int64_t> counts;
  for (const std::int64_t label : labels) {
    const auto place = rank.emplace(label, static_cast<std::int64_t>(counts.size()));
    if (place.second) counts.push_back(0);
    ++counts[static_cast<std::size_t>(place.first->second)];
  }
  // Sorted samples are dealt to the folds in turn; that says how many of each class a fold tests.
  std::vector<std::vector<std::int64_t>> left;  // [class][fold]
  std::int64_t dealt = 0;
  for (const std::int64_t count : counts) {
    left.emplace_back(static_cast<std::size_t>(folds), 0);
    for (std::int64_t i = 0; i < count; ++i) ++left.back()[static_cast<std::size_t>(dealt++ % folds)];
  }
  std::vector<std::int64_t> result;
  for (const std::int64_t label : labels) {
    auto& of_class = left[static_cast<std::size_t>(rank.at(label))];
    std::size_t fold = 0;
    while (of_class[fold] == 0) ++fold;
    --of_class[fold];
    result.push_back(static_cast<std::int64_t>(fold));
  }
  return result;
}

}  // namespace graft
