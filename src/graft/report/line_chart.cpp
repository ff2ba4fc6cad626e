#include "graft/report/line_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "graft/report/html.h"

namespace graft {
namespace {

constexpr double kWidth = 460, kHeight = 250, kLeft = 52, kRight = 12, kTop = 12, kBottom = 30;

/// Where values of an axis stand.
struct Axis {
  double low;
  double high;
  double from;
  double to;
  bool logarithmic = false;

  double operator()(double value) const {
    const auto place = [&](double v) { return logarithmic ? std::log10(v) : v; };
    return from + (to - from) * (place(value) - place(low)) / (place(high) - place(low));
  }
};

bool shows(const LineChart& chart, double value) { return std::isfinite(value) && (!chart.logarithmic || value > 0); }

Axis value_axis(const LineChart& chart) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const auto& series : chart.series)
    for (const double value : series.values)
      if (shows(chart, value)) low = std::min(low, value), high = std::max(high, value);
  if (!(low <= high)) low = 0, high = 1;
  if (chart.logarithmic) {
    low = std::pow(10, std::floor(std::log10(low)));
    high = std::max(std::pow(10, std::ceil(std::log10(high))), 10 * low);
  } else {
    const double room = high > low ? 0.05 * (high - low) : std::max(std::abs(high) * 0.1, 0.05);
    low = low >= 0 ? std::max(low - room, 0.0) : low - room;
    high = chart.percent ? std::min(high + room, 1.0) : high + room;
    if (!(low < high)) low = high - 0.1;
  }
  return {low, high, kHeight - kBottom, kTop, chart.logarithmic};
}

std::vector<double> ticks_of(const Axis& axis) {
  if (!axis.logarithmic) return ticks_between(axis.low, axis.high);
  std::vector<double> ticks;
  const double first = std::ceil(std::log10(axis.low) - 1e-9), last = std::log10(axis.high) + 1e-9;
  const double step = std::max(1.0, std::ceil((last - first) / 6));
  for (double i = first; i <= last; i += step) ticks.push_back(std::pow(10, i));
  return ticks;
}

double place(const LineChart& chart, std::size_t index) {
  return chart.places.values.empty() ? static_cast<double>(index + 1) : chart.places.values.at(index);
}

std::string place_text(const LineChart& chart, double where) {
  return chart.places.values.empty() ? fixed(where, 0) : short_number(where);
}

Axis place_axis(const LineChart& chart) {
  std::size_t count = 1;
  for (const auto& series : chart.series) count = std::max(count, series.values.size());
  const double first = place(chart, 0), last = place(chart, count - 1), from = kLeft + 6, to = kWidth - kRight - 6;
  if (count == 1) return {first - 0.5, first + 0.5, from, to};
  return {first, last, from, to, chart.places.logarithmic};
}

void draw_upright(std::ostream& out, double at) {
  out << "<line class=\"phase\" x1=\"" << fixed(at, 1) << "\" x2=\"" << fixed(at, 1) << "\" y1=\"" << fixed(kTop, 0)
      << "\" y2=\"" << fixed(kHeight - kBottom, 0) << "\"></line>\n";
}

void draw_places(std::ostream& out, const LineChart& chart, const Axis& x) {
  const bool counted = chart.places.values.empty();
  for (const double tick : ticks_of(x))
    if (!counted || tick == std::floor(tick))
      out << "<text class=\"tick\" text-anchor=\"middle\" x=\"" << fixed(x(tick), 1) << "\" y=\""
          << fixed(kHeight - kBottom + 16, 0) << "\">" << place_text(chart, tick) << "</text>\n";
  for (const std::size_t start : chart.phase_starts)
    if (start > 0) draw_upright(out, x(static_cast<double>(start) + 0.5));
  double label = kTop;
  for (const auto& mark : chart.marks) {
    draw_upright(out, x(mark.place));
    out << "<text class=\"tick\" x=\"" << fixed(x(mark.place) + 4, 1) << "\" y=\"" << fixed(label += 12, 0) << "\">"
        << escape_html(mark.name) << "</text>\n";
  }
}

void draw_grid(std::ostream& out, const LineChart& chart, const Axis& y) {
  for (const double tick : ticks_of(y)) {
    const std::string at = fixed(y(tick), 1);
    out << "<line class=\"grid\" x1=\"" << fixed(kLeft, 0) << "\" x2=\"" << fixed(kWidth - kRight, 0) << "\" y1=\""
        << at << "\" y2=\"" << at << "\"></line><text class=\"tick\" text-anchor=\"end\" x=\"" << fixed(kLeft - 6, 0)
        << "\" y=\"" << fixed(y(tick) + 4, 1) << "\">"
        << (chart.percent ? short_number(100 * tick) + " %" : short_number(tick)) << "</text>\n";
  }
}

void draw_series(std::ostream& out, const LineChart& chart, std::size_t index, const Axis& x, const Axis& y) {
  const Series& series = chart.series[index];
  std::ostringstream points, path;
  for (std::size_t i = 0; i < series.values.size(); ++i) {
    const double value = series.values[i], where = place(chart, i);
    if (!shows(chart, value)) continue;
    const std::string at_x = fixed(x(where), 1), at_y = fixed(y(value), 1);
    path << at_x << "," << at_y << " ";
    points << "<circle cx=\"" << at_x << "\" cy=\"" << at_y << "\" r=\"" << (series.values.size() > 40 ? 1.5 : 3)
           << "\"><title>" << escape_html(series.name) << ", " << escape_html(chart.places.name) << " "
           << place_text(chart, where) << ": " << (chart.percent ? percent(value) : short_number(value))
           << "</title></circle>";
  }
  out << "<g class=\"series" << index + 1 << "\"><polyline points=\"" << path.str() << "\"></polyline>" << points.str()
      << "</g>\n";
}

}  // namespace

std::vector<double> ticks_between(double low, double high) {
  if (!(low < high)) return {low};
  const double rough = (high - low) / 5, power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough * 0.999) {
      step = factor * power;
      break;
    }
  std::vector<double> ticks;
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step && ticks.size() < 8; ++i)
    ticks.push_back(i * step + 0.0);  // and no -0
  return ticks;
}

std::string svg_of(const LineChart& chart) {
  const Axis x = place_axis(chart), y = value_axis(chart);
  std::ostringstream out;
  out << "<figure class=\"chart\"><figcaption>" << escape_html(chart.title);
  for (std::size_t i = 0; chart.series.size() > 1 && i < chart.series.size(); ++i)
    out << " <span class=\"key key" << i + 1 << "\">" << escape_html(chart.series[i].name) << "</span>";
  out << "</figcaption>\n<svg viewBox=\"0 0 " << fixed(kWidth, 0) << " " << fixed(kHeight, 0)
      << "\" role=\"img\" aria-label=\"" << escape_html(chart.title) << " by " << escape_html(chart.places.name)
      << "\">\n";
  draw_grid(out, chart, y);
  draw_places(out, chart, x);
  for (std::size_t i = 0; i < chart.series.size(); ++i) draw_series(out, chart, i, x, y);
  out << "</svg></figure>\n";
  return out.str();
}

}  // namespace graft
