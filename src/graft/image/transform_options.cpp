#include "graft/image/transform_options.h"

#include <algorithm>
namespace graft {
namespace {

const std::vector<std::string> kSamplings{"nearest", "bilinear"};
const Range kLevel = Range::between(0, 255);

}  // namespace

std::vector<double> TransformOptions::list(const std::string& key, std::vector<double> fallback,
                                           const Accepted& accepted) {
  const auto form_of = [&](const Range& range) {
    return accepted.kind == Numbers::kWhole ? JsonForm::integer(range) : JsonForm::number(range);
  };
  std::vector<JsonForm> forms;
  for (const std::size_t count : accepted.counts)
    forms.push_back(count == 1 ? form_of(accepted.lone) : JsonForm::list(form_of(accepted.range), count));
  if (!accepted.word.empty()) forms.push_back(JsonForm::word(accepted.word));
  const Json found = reader_.one_of(key, fallback, forms);
  if (found.is_string()) return {};
  return found.is_array() ? found.get<std::vector<double>>() : std::vector<double>{found.get<double>()};
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
  const auto values = list(key, {fallback.begin(), fallback.end()}, {{1, 2}, range, range, kind});
  const auto found = noted(key, {values.front(), values.back()}, fallback);
  if (kind == Numbers::kWhole) json_[key] = {static_cast<int>(found[0]), static_cast<int>(found[1])};
  return found;
}

Interval TransformOptions::interval_around(const std::string& key, double center, Range range) {
  const auto values = list(key, {center, center}, {{1, 2}, range, Range::between(0, range.high - center)});
  if (values.size() == 2) return noted(key, {values[0], values[1]}, {center, center});
  return noted(key, {std::max(center - values[0], range.low), center + values[0]}, {center, center});
}

std::array<Interval, 2> TransformOptions::two_intervals_around_zero(const std::string& key, Range range) {
  Range lone = range;
  lone.low = 0;
  lone.low_open = false;
  auto values = list(key, {0, 0}, {{1, 2, 4}, range, lone});
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

std::optional<Color> TransformOptions::color_or(const std::string& key, const std::string& word) {
  auto values = list(key, {0, 0, 0}, {{1, 3}, kLevel, kLevel, Numbers::kWhole, word});
  if (values.empty()) {
    json_[key] = word;
    return std::nullopt;
  }
  values.resize(3, values[0]);
  Color color{};
  std::transform(values.begin(), values.end(), color.begin(),
                 [](double level) { return static_cast<std::uint8_t>(level); });
  json_[key] = color;
  return color;
}

Resampling TransformOptions::resampling(Sampling fallback) {
  const std::string name = choice("interpolation", kSamplings[static_cast<std::size_t>(fallback)], kSamplings);
  return {name == kSamplings[0] ? Sampling::kNearest : Sampling::kBilinear, color("fill")};
}

void TransformOptions::require(const std::string& key, const std::string& meaning) {
  if (!reader_.has(key)) problem(key, "is missing", meaning);
}

}  // namespace graft
