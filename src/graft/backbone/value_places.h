#pragma once
#include <cstddef>
#include <optional>
#include <vector>

namespace graft {

/// What a step of a program reads, by the numbers of values: the program's inputs first, then each step's result.
struct StepReads {
  std::size_t input = 0;
  std::optional<std::size_t> added{};  ///< is added to the result, and so must lie where the result goes
};

/// Where a value lies.
struct Place {
  enum class Kind { kInput, kOutput, kBuffer };
  Kind kind = Kind::kInput;
  std::size_t index = 0;  ///< of the input, the output, or the buffer

  bool operator==(const Place&) const = default;
};

struct ValuePlaces {
  std::vector<Place> places{};                       ///< of each value
  std::vector<std::optional<std::size_t>> copied{};  ///< by step: the value to be copied to where its result goes
  std::vector<std::size_t> buffers{};                ///< how large each is
};

/// Gives each result that is no output a buffer: where it can be that of what is added to it, else one whose value
/// nothing reads any more, else a new one.
/// @param sizes  of all values
/// @param outputs  results that are wanted
ValuePlaces place_values(const std::vector<StepReads>& steps, const std::vector<std::size_t>& sizes,
                         const std::vector<std::size_t>& outputs);

}  // namespace graft
