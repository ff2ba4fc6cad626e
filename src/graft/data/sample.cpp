#include "graft/data/sample.h"

#include <algorithm>
#include <array>
#include <map>

namespace graft {

std::string to_string(Split split) {
  static constexpr std::array kNames{"train", "val", "test"};
  return kNames[static_cast<std::size_t>(split)];
}

std::optional<Split> parse_split(const std::string& word) {
  static const std::map<std::string, Split> kWords{{"train", Split::kTrain},
                                                   {"val", Split::kVal},
                                                   {"valid", Split::kVal},
                                                   {"validation", Split::kVal},
                                                   {"test", Split::kTest}};
  const auto found = kWords.find(word);
  return found == kWords.end() ? std::nullopt : std::optional(found->second);
}

Samples::Samples(const std::vector<Sample>& all) {
  samples_.reserve(all.size());
  for (const auto& sample : all) add(sample);
}

Samples Samples::first(std::size_t count) const {
  Samples some = *this;
  some.samples_.resize(std::min(count, size()));
  return some;
}

std::vector<std::int64_t> spread(std::size_t size, std::size_t count) {
  count = std::min(count, size);
  std::vector<std::int64_t> chosen;
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(static_cast<std::int64_t>(i * size / count));
  return chosen;
}

Samples some_of(const Samples& samples, std::size_t count) {
  Samples some;
  for (const auto i : spread(samples.size(), count)) some.add(samples[static_cast<std::size_t>(i)]);
  return some;
}

}  // namespace graft
