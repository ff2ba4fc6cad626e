#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graft/core/json.h"
#include "graft/image/geometry.h"

namespace graft {

/// Two numbers, the smaller first.
using Interval = std::array<double, 2>;

enum class Numbers { kAny, kWhole };

/// Reads the options of one transform and writes them down, defaults filled in. Mistakes become problems, as in
/// JsonReader.
class TransformOptions {
 public:
  /// @param reader  must outlive it
  explicit TransformOptions(JsonReader& reader) : reader_(reader) {}

  double number(const std::string& key, double fallback, Range range);
  int integer(const std::string& key, int fallback, Range range);
  std::string choice(const std::string& key, const std::string& fallback, std::span<const std::string> allowed);
  /// Exactly `fallback.size()` numbers.
  std::vector<double> numbers(const std::string& key, std::vector<double> fallback, Range range);

  /// Two numbers.
  Interval interval(const std::string& key, const Interval& fallback, Range range);
  /// Two numbers, or one that is both.
  Interval interval_or_value(const std::string& key, const Interval& fallback, Range range,
                             Numbers kind = Numbers::kAny);
  /// Two numbers, or one that lies between `center` and both, cut off at the range's lower end; by default nothing but
  /// `center`.
  Interval interval_around(const std::string& key, double center, Range range);
  /// Two intervals: one number or two for the first, which lie around 0, or four for both; by default nothing but 0.
  std::array<Interval, 2> two_intervals_around_zero(const std::string& key, Range range);

  /// "p": 0.5 by default.
  double probability(double fallback = 0.5);
  /// A grey level, or one for each of red, green and blue; black by default.
  Color color(const std::string& key) { return *color_or(key, ""); }
  /// A color, or `word`, for which there is none; with no word a color always.
  std::optional<Color> color_or(const std::string& key, const std::string& word);
  /// "interpolation" and "fill".
  Resampling resampling(Sampling fallback);

  /// An option without a default: a problem where it is missing.
  void require(const std::string& key, const std::string& meaning);
  void problem(const std::string& key, std::string found, std::string expected, std::string hint = "") {
    reader_.problem(key, std::move(found), std::move(expected), std::move(hint));
  }
  const Json& json() const { return json_; }

 private:
  /// How many numbers an option takes, and which.
  struct Accepted {
    std::vector<std::size_t> counts;  ///< 1 is a number, everything else a list
    Range range;                      ///< of numbers in a list
    Range lone;                       ///< of a number that stands for a list
    Numbers kind = Numbers::kAny;
    std::string word{};  ///< what may stand there instead of numbers; "": nothing
  };
  /// Empty where the word stands there.
  std::vector<double> list(const std::string& key, std::vector<double> fallback, const Accepted& accepted);
  /// Writes an interval down, or `fallback` after a problem.
  Interval noted(const std::string& key, Interval found, const Interval& fallback);

  JsonReader& reader_;
  Json json_ = Json::object();
};

}  // namespace graft
