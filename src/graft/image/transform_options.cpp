#include "graft/image/transform_options.h"

#include <algorithm>

#include "graft/core/names.h"

namespace graft {
namespace {

const std::vector<std::string> kSamplings{"nearest", "bilinear"};
const Range kLevel = Range::between(0, 255);

}  // namespace

std::vector<double> TransformOptions::list(const std::string& key, const Json* found, const Accepted& accepted) {
  if (found == nullptr) return {};
  const Json items = found->is_array() ? *found : Json::array({*found});
  const bool whole = accepted.kind == Numbers::kWhole;
  const Range& range = found->is_array() ? accepted.range : accepted.lone;
  const bool fits = std::all_of(items.begin(), items.end(), [&](const Json& item) {
    return (whole ? item.is_number_integer() : item.is_number()) && range.contains(item.get<double>());
  });
  const auto& counts = accepted.counts;
  const bool is_counted = found->is_array() == (items.size() != 1);
  if (fits && is_counted && std::find(counts.begin(), counts.end(), items.size()) != counts.end())
    return items.get<std::vector<double>>();
  const std::string number = whole ? "whole number" : "number";
  std::vector<std::string> expected;
  for (const std::size_t count : counts)
    expected.push_back(count == 1
                           ? "a " + number + " " + accepted.lone.text()
                           : "a list of " + std::to_string(count) + " " + number + "s, each " + accepted.range.text());
  if (!accepted.word.empty()) expected.push_back(Json(accepted.word).dump());
  problem(key, "is " + found->dump(), join(expected, ", or "));
  return {};
}

Interval TransformOptions::noted(const std::string& key, Interval found, const Interval& fallback) {
  if (found[0] > found[1]) {
    problem(key, "is " + Json(found).dump(), "the smaller number first");
    found = fallback;
  }
  json_[key] = found;
  return found;
}

double TransformOptions::number(const std::string& key, double fallback, Range range) {
  const double value = reader_.number(key, fallback, range);
  json_[key] = value;
  return value;
}

int TransformOptions::integer(const std::string& key, int fallback, Range range) {
  const auto value = static_cast<int>(reader_.integer(key, fallback, range));
  json_[key] = value;
  return value;
}

std::string TransformOptions::choice(const std::string& key, const std::string& fallback,
                                     std::span<const std::string> allowed) {
  std::string value = reader_.choice(key, fallback, allowed);
  json_[key] = value;
  return value;
}

std::vector<double> TransformOptions::numbers(const std::string& key, std::vector<double> fallback, Range range) {
  auto values = reader_.numbers(key, std::move(fallback), range);
  json_[key] = values;
  return values;
}

Interval TransformOptions::interval(const std::string& key, const Interval& fallback, Range range) {
  const auto values = reader_.numbers(key, {fallback.begin(), fallback.end()}, range);
  return noted(key, {values.at(0), values.at(1)}, fallback);
}

Interval TransformOptions::interval_or_value(const std::string& key, const Interval& fallback, Range range,
                                             Numbers kind) {
  const auto values = list(key, reader_.member(key), {{1, 2}, range, range, kind});
  const auto found = noted(key, values.empty() ? fallback : Interval{values.front(), values.back()}, fallback);
  if (kind == Numbers::kWhole) json_[key] = {static_cast<int>(found[0]), static_cast<int>(found[1])};
  return found;
}

Interval TransformOptions::interval_around(const std::string& key, double center, Range range) {
  const auto values = list(key, reader_.member(key), {{1, 2}, range, Range::between(0, range.high - center)});
  const Interval fallback{center, center};
  if (values.empty()) return noted(key, fallback, fallback);
  if (values.size() == 2) return noted(key, {values[0], values[1]}, fallback);
  return noted(key, {std::max(center - values[0], range.low), center + values[0]}, fallback);
}

std::array<Interval, 2> TransformOptions::two_intervals_around_zero(const std::string& key, Range range) {
  Range lone = range;
  lone.low = 0;
  lone.low_open = false;
  auto values = list(key, reader_.member(key), {{1, 2, 4}, range, lone});
  if (values.size() == 1) values = {-values[0], values[0]};
  values.resize(4);
  if (values[0] > values[1] || values[2] > values[3]) {
    problem(key, "is " + Json(values).dump(), "the smaller number of each pair first");
    values.assign(4, 0);
  }
  json_[key] = values;
  return {Interval{values[0], values[1]}, Interval{values[2], values[3]}};
}

double TransformOptions::probability(double fallback) { return number("p", fallback, Range::between(0, 1)); }

Color TransformOptions::color_from(const std::string& key, const Json* found, const std::string& word) {
  auto values = list(key, found, {{1, 3}, kLevel, kLevel, Numbers::kWhole, word});
  values.resize(3, values.empty() ? 0 : values[0]);
  Color color{};
  std::transform(values.begin(), values.end(), color.begin(),
                 [](double level) { return static_cast<std::uint8_t>(level); });
  json_[key] = color;
  return color;
}

std::optional<Color> TransformOptions::color_or(const std::string& key, const std::string& word) {
  const Json* found = reader_.member(key);
  if (found == nullptr || *found != word) return color_from(key, found, word);
  json_[key] = word;
  return std::nullopt;
}

Resampling TransformOptions::resampling(Sampling fallback) {
  const std::string name = choice("interpolation", kSamplings[static_cast<std::size_t>(fallback)], kSamplings);
  return {name == kSamplings[0] ? Sampling::kNearest : Sampling::kBilinear, color("fill")};
}

void TransformOptions::require(const std::string& key, const std::string& meaning) {
  if (!reader_.has(key)) problem(key, "is missing", meaning);
}

}  // namespace graft
