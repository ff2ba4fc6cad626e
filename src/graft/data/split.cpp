#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <unordered_map>

#include "graft/data/dataset.h"

namespace graft {
namespace {

/// What goes to one side as a whole: a photo, or all photos of a group.
struct Unit {
  const Sample* first;
  std::size_t photos = 1;
  Digest hash = first->hash;  ///< the lowest of its photos
  Split split = Split::kTrain;

  bool operator<(const Unit& other) const { return key() < other.key(); }

 private:
  /// Of equal photos those of groups come first.
  std::tuple<const Digest&, bool, std::int32_t, const std::string&> key() const {
    return {hash, !first->group, first->group.value_or(0), first->path};
  }
};

class Units {
 public:
  explicit Units(const std::vector<Sample>& samples) {
    std::unordered_map<std::int32_t, std::size_t> of_group;
    for (const auto& sample : samples) {
      if (!to_be_split(sample)) continue;
      const bool known = sample.group && !of_group.emplace(*sample.group, units_.size()).second;
      unit_of_.push_back(known ? of_group[*sample.group] : units_.size());
      if (!known)
        units_.push_back({&sample});
      else
        join(units_[unit_of_.back()], sample);
    }
  }

  /// Those of one label in order of their hash, one label after the other.
  std::vector<std::vector<Unit*>> by_label() {
    std::map<std::int64_t, std::vector<Unit*>> labels;
    for (auto& unit : units_) labels[unit.first->label].push_back(&unit);
    std::vector<std::vector<Unit*>> all;
    for (auto& [label, units] : labels) {
      std::ranges::sort(units, [](const Unit* a, const Unit* b) { return *a < *b; });
      all.push_back(std::move(units));
    }
    return all;
  }

  void give_splits(std::vector<Sample>& samples) const {
    auto unit = unit_of_.begin();
    for (auto& sample : samples)
      if (to_be_split(sample)) sample.split = units_[*unit++].split;
  }

 private:
  static bool to_be_split(const Sample& sample) { return sample.split.value_or(Split::kTrain) == Split::kTrain; }
  static void join(Unit& unit, const Sample& sample) {
    unit.hash = std::min(unit.hash, sample.hash);
    ++unit.photos;
  }

  std::vector<Unit> units_;
  std::vector<std::size_t> unit_of_;  // of each sample to be split
};

}  // namespace

void split_by_hash(std::vector<Sample>& samples, double val, Task task) {
  Units units(samples);
  for (const auto& alike : units.by_label()) {
    std::size_t count = 0;
    for (const Unit* unit : alike) count += unit->photos;
    const auto part = static_cast<std::size_t>(std::lround(val * static_cast<double>(count)));
    const auto wanted = std::min(std::max<std::size_t>(1, part), task == Task::kMultiLabel ? count - 1 : count);
    std::size_t taken = 0;
    for (Unit* unit : alike) {
      unit->split = taken < wanted ? Split::kVal : Split::kTrain;
      taken += unit->photos;
    }
  }
  units.give_splits(samples);
}

}  // namespace graft
