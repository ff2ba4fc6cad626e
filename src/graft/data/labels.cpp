#include "graft/data/labels.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>
#include <set>

#include "graft/core/error.h"
#include "graft/core/names.h"

namespace graft {
namespace {

std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == '|')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

/// Shortest text that reads back as the same number.
template <typename Number>
std::string number_text(Number value) {
  std::array<char, 32> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), written.ptr};
}

void read_classes(Dataset& dataset, const LabelColumn& column) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < column.cells.size(); ++i) {
    const std::string& text = column.cells[i];
    if (text.empty())
      throw Error(
          {column.where(i), "has no label", "the name of a class", "task multi_label takes photos of no class"});
    if (text.find('|') != std::string::npos)
      throw Error({column.where(i), "label '" + text + "' holds several classes",
                   "one class (task " + to_string(dataset.task) + ")",
                   "set task to multi_label, or to regression for several numbers"});
    names.insert(text);
  }
  dataset.classes.assign(names.begin(), names.end());
  for (std::size_t i = 0; i < column.cells.size(); ++i)
    dataset.samples[i].label = std::distance(names.begin(), names.find(column.cells[i]));
}

void read_several_classes(Dataset& dataset, const LabelColumn& column) {
  std::set<std::string> names;
  std::vector<std::vector<std::string>> each;
  for (std::size_t i = 0; i < column.cells.size(); ++i) {
    const std::string& text = column.cells[i];
    each.push_back(text.empty() ? std::vector<std::string>() : parts_of(text));
    const std::set<std::string> own(each.back().begin(), each.back().end());
    if (own.size() != each.back().size() || own.contains(""))
      throw Error({column.where(i), "label '" + text + "' names a class twice or not at all",
                   "names such as a|b, or nothing (task multi_label)", ""});
    names.insert(own.begin(), own.end());
  }
  dataset.classes.assign(names.begin(), names.end());
  for (std::size_t i = 0; i < each.size(); ++i) {
    auto& values = dataset.samples[i].values;
    values.assign(names.size(), 0);
    for (const auto& name : each[i])
      values[static_cast<std::size_t>(std::distance(names.begin(), names.find(name)))] = 1;
  }
}

void read_numbers(Dataset& dataset, const LabelColumn& column) {
  for (std::size_t i = 0; i < column.cells.size(); ++i) {
    const std::string& text = column.cells[i];
    auto& values = dataset.samples[i].values;
    for (const auto& part : parts_of(text)) {
      const auto number = parse_number(part);
      if (!number)
        throw Error({column.where(i), "label '" + text + "' is no number",
                     "a number, or several such as 1.5|2 (task regression)",
                     "set task to single_label or multi_label for names of classes"});
      values.push_back(*number);
    }
    const std::size_t expected = dataset.samples.front().values.size();
    if (values.size() != expected)
      throw Error({column.where(i), "label '" + text + "' holds " + std::to_string(values.size()) + " numbers",
                   std::to_string(expected) + ", as the first line", ""});
  }
  const std::size_t count = dataset.samples.front().values.size();
  for (std::size_t k = 1; k <= count; ++k)
    dataset.classes.push_back(count == 1 ? "value" : "value_" + std::to_string(k));
}

/// Gives each sample the rarest of its classes as its label.
void find_rarest(Dataset& dataset) {
  const auto counts = dataset.class_counts(dataset.samples);
  for (auto& sample : dataset.samples) {
    sample.label = -1;
    for (std::size_t k = 0; k < counts.size(); ++k)
      if (dataset.is_of(sample, k) && (sample.label < 0 || counts[k] < counts[static_cast<std::size_t>(sample.label)]))
        sample.label = static_cast<std::int64_t>(k);
  }
}

/// The classes by number where all of them are numbers, else by name.
std::vector<std::string> natural_order(std::vector<std::string> classes) {
  if (std::all_of(classes.begin(), classes.end(), [](const auto& name) { return parse_number(name).has_value(); }))
    std::stable_sort(classes.begin(), classes.end(),
                     [](const auto& a, const auto& b) { return *parse_number(a) < *parse_number(b); });
  return classes;
}

void put_in_order(Dataset& dataset, const std::vector<std::string>& order, const std::string& subject) {
  const auto classes = order.empty() ? natural_order(dataset.classes) : order;
  std::vector<std::int64_t> rank;
  for (const auto& name : dataset.classes) {
    const auto found = std::find(classes.begin(), classes.end(), name);
    if (found == classes.end())
      throw Error({subject, "class '" + name + "' has no place in data.classes", "among " + join(classes),
                   did_you_mean(name, classes)});
    rank.push_back(found - classes.begin());
  }
  for (auto& sample : dataset.samples) sample.label = rank[static_cast<std::size_t>(sample.label)];
  dataset.classes = classes;
}

}  // namespace

std::size_t fewest_classes(Task task) { return one_class_each(task) ? 2 : 1; }

void read_labels(Dataset& dataset, const LabelColumn& column) {
  if (dataset.task == Task::kMultiLabel) return read_several_classes(dataset, column);
  if (dataset.task == Task::kRegression) return read_numbers(dataset, column);
  read_classes(dataset, column);
}

void fit_labels(Dataset& dataset, const std::vector<std::string>& order, const std::string& subject) {
  const bool read_as_classes = !dataset.samples.empty() && dataset.samples.front().values.empty();
  if (dataset.task == Task::kRegression && read_as_classes)
    throw Error({subject, "is a folder of class folders", "a table whose labels are numbers (task regression)",
                 "folders whose names are numbers in an order: task ordinal"});
  if (dataset.task == Task::kMultiLabel) {
    for (auto& sample : dataset.samples) {
      if (!sample.values.empty()) continue;
      sample.values.assign(dataset.classes.size(), 0);
      sample.values[static_cast<std::size_t>(sample.label)] = 1;
    }
    find_rarest(dataset);
  }
  if (dataset.task == Task::kOrdinal) put_in_order(dataset, order, subject);
}

std::string label_text(const Dataset& dataset, const Sample& sample) {
  if (sample.values.empty()) return dataset.classes.at(static_cast<std::size_t>(sample.label));
  std::vector<std::string> words;
  for (std::size_t k = 0; k < sample.values.size(); ++k) {
    if (dataset.task == Task::kRegression) words.push_back(number_text(sample.values[k]));
    if (dataset.is_of(sample, k)) words.push_back(dataset.classes[k]);
  }
  return join(words, "|");
}

std::string answer_text(const Dataset& dataset, const at::Tensor& answer) {
  const at::Tensor numbers = answer.to(at::kCPU, at::kFloat).contiguous();
  const auto* begin = numbers.const_data_ptr<float>();
  if (one_class_each(dataset.task))
    return dataset.classes.at(static_cast<std::size_t>(std::max_element(begin, begin + numbers.numel()) - begin));
  std::vector<std::string> words;
  for (std::int64_t k = 0; k < numbers.numel(); ++k) {
    if (dataset.task == Task::kRegression)
      words.push_back(number_text(begin[k]));
    else if (begin[k] >= 0.5F)
      words.push_back(dataset.classes[static_cast<std::size_t>(k)]);
  }
  return join(words, "|");
}

std::optional<double> parse_number(const std::string& text) {
  double number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

}  // namespace graft
