#include "graft/backbone/value_places.h"

#include <algorithm>

namespace graft {
namespace {

/// Steps in their order, and how long each buffer is taken.
class Placement {
 public:
  Placement(const std::vector<StepReads>& steps, const std::vector<std::size_t>& sizes)
      : steps_(steps), sizes_(sizes), inputs_(sizes.size() - steps.size()), last_reads_(sizes.size(), 0) {
    for (std::size_t step = 0; step < steps.size(); ++step) {
      last_reads_[inputs_ + step] = step;
      last_reads_[steps[step].input] = step;
      if (steps[step].added) last_reads_[*steps[step].added] = step;
    }
    for (std::size_t input = 0; input < inputs_; ++input) found_.places.push_back({Place::Kind::kInput, input});
  }

  void put(std::size_t step, std::optional<std::size_t> output) {
    const auto& added = steps_[step].added;
    const Place place = output ? Place{Place::Kind::kOutput, *output} : Place{Place::Kind::kBuffer, buffer_for(step)};
    found_.places.push_back(place);
    found_.copied.push_back(added && found_.places[*added] != place ? added : std::nullopt);
    if (!output) taken_until_[place.index] = last_reads_[inputs_ + step];
  }

  std::size_t value_of(std::size_t step) const { return inputs_ + step; }
  ValuePlaces found() && { return std::move(found_); }

 private:
  std::size_t buffer_for(std::size_t step) {
    const auto& [input, added] = steps_[step];
    if (added && added != input && found_.places[*added].kind == Place::Kind::kBuffer && last_reads_[*added] == step)
      return found_.places[*added].index;
    const std::size_t size = sizes_[inputs_ + step];
    std::optional<std::size_t> best;
    for (std::size_t buffer = 0; buffer < taken_until_.size(); ++buffer)
      if (taken_until_[buffer] < step && (!best || distance(buffer, size) < distance(*best, size))) best = buffer;
    if (!best) {
      best = taken_until_.size();
      taken_until_.push_back(step);
      found_.buffers.push_back(0);
    }
    found_.buffers[*best] = std::max(found_.buffers[*best], size);
    return *best;
  }

  std::size_t distance(std::size_t buffer, std::size_t size) const {
    return std::max(found_.buffers[buffer], size) - std::min(found_.buffers[buffer], size);
  }

  const std::vector<StepReads>& steps_;
  const std::vector<std::size_t>& sizes_;
  std::size_t inputs_;
  std::vector<std::size_t> last_reads_;     ///< by value: the step
  std::vector<std::size_t> taken_until_{};  ///< by buffer: the step
  ValuePlaces found_{};
};

}  // namespace

ValuePlaces place_values(const std::vector<StepReads>& steps, const std::vector<std::size_t>& sizes,
                         const std::vector<std::size_t>& outputs) {
  Placement placement(steps, sizes);
  for (std::size_t step = 0; step < steps.size(); ++step) {
    const auto output = std::ranges::find(outputs, placement.value_of(step));
    placement.put(step, output == outputs.end() ? std::nullopt
                                                : std::optional(static_cast<std::size_t>(output - outputs.begin())));
  }
  return std::move(placement).found();
}

}  // namespace graft
