#pragma once
#include <string>
#include <vector>

namespace graft {

struct Series {
  std::string name;
  std::vector<double> values;  ///< one a place; what is not finite is left out
};

/// Where the values of a chart stand, from left to right.
struct Places {
  std::string name = "epoch";
  std::vector<double> values{};  ///< rising; none: 1, 2, 3 …
  bool logarithmic = false;
};

/// A place that is pointed out.
struct Mark {
  std::string name;
  double place;
};

struct LineChart {
  std::string title;
  std::vector<Series> series;             ///< at most three: each has a color of its own
  std::vector<std::size_t> phase_starts;  ///< epochs, from 0, with which phases begin
  bool logarithmic = false;
  bool percent = false;
  Places places{};
  std::vector<Mark> marks{};
};

/// The chart as an SVG that stands within HTML. Its colors are the page's.
std::string svg_of(const LineChart& chart);

/// From three to seven round numbers that lie within [low, high] or just at its ends.
std::vector<double> ticks_between(double low, double high);

}  // namespace graft
