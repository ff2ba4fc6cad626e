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
  const double decades = std::round(std::log10(axis.high / axis.low)), step = std::max(1.0, std::ceil(decades / 6));
  for (double i = 0; i <= decades; i += step) ticks.push_back(axis.low * std::pow(10, i));
  return ticks;
}

void draw_grid(std::ostream& out, const LineChart& chart, const Axis& x, const Axis& y, std::size_t epochs) {
  for (const double tick : ticks_of(y)) {
    const std::string at = fixed(y(tick), 1);
    out << "<line class=\"grid\" x1=\"" << fixed(kLeft, 0) << "\" x2=\"" << fixed(kWidth - kRight, 0) << "\" y1=\""
        << at << "\" y2=\"" << at << "\"></line><text class=\"tick\" text-anchor=\"end\" x=\"" << fixed(kLeft - 6, 0)
        << "\" y=\"" << fixed(y(tick) + 4, 1) << "\">"
        << (chart.percent ? short_number(100 * tick) + " %" : short_number(tick)) << "</text>\n";
  }
  for (const double tick : ticks_between(1, static_cast<double>(epochs)))
    if (tick == std::floor(tick))
      out << "<text class=\"tick\" text-anchor=\"middle\" x=\"" << fixed(x(tick), 1) << "\" y=\""
          << fixed(kHeight - kBottom + 16, 0) << "\">" << fixed(tick, 0) << "</text>\n";
  for (const std::size_t start : chart.phase_starts)
    if (start > 0) {
      const std::string at = fixed(x(static_cast<double>(start) + 0.5), 1);
      out << "<line class=\"phase\" x1=\"" << at << "\" x2=\"" << at << "\" y1=\"" << fixed(kTop, 0) << "\" y2=\""
          << fixed(kHeight - kBottom, 0) << "\"></line>\n";
    }
}

void draw_series(std::ostream& out, const LineChart& chart, std::size_t index, const Axis& x, const Axis& y) {
  const Series& series = chart.series[index];
  std::ostringstream points, path;
  for (std::size_t epoch = 0; epoch < series.values.size(); ++epoch) {
    const double value = series.values[epoch];
    if (!shows(chart, value)) continue;
    const std::string at_x = fixed(x(static_cast<double>(epoch + 1)), 1), at_y = fixed(y(value), 1);
    path << at_x << "," << at_y << " ";
    points << "<circle cx=\"" << at_x << "\" cy=\"" << at_y << "\" r=\"" << (series.values.size() > 40 ? 1.5 : 3)
           << "\"><title>" << escape_html(series.name) << ", epoch " << epoch + 1 << ": "
           << (chart.percent ? percent(value) : short_number(value)) << "</title></circle>";
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
    ticks.push_back(i * step);
  return ticks;
}

std::string svg_of(const LineChart& chart) {
  std::size_t epochs = 1;
  for (const auto& series : chart.series) epochs = std::max(epochs, series.values.size());
  const double last = static_cast<double>(epochs);
  const Axis x{epochs == 1 ? 0.5 : 1, epochs == 1 ? 1.5 : last, kLeft + 6, kWidth - kRight - 6};
  const Axis y = value_axis(chart);
  std::ostringstream out;
  out << "<figure class=\"chart\"><figcaption>" << escape_html(chart.title);
  for (std::size_t i = 0; chart.series.size() > 1 && i < chart.series.size(); ++i)
    out << " <span class=\"key key" << i + 1 << "\">" << escape_html(chart.series[i].name) << "</span>";
  out << "</figcaption>\n<svg viewBox=\"0 0 " << fixed(kWidth, 0) << " " << fixed(kHeight, 0)
      << "\" role=\"img\" aria-label=\"" << escape_html(chart.title) << " by epoch\">\n";
  draw_grid(out, chart, x, y, epochs);
  for (std::size_t i = 0; i < chart.series.size(); ++i) draw_series(out, chart, i, x, y);
  out << "</svg></figure>\n";
  return out.str();
}

}  // namespace graft
