#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "graft/data/dataset.h"

namespace graft {

/// Classes, or numbers a photo, that a data set must have for a task.
std::size_t fewest_classes(Task task);

/// The labels of a table, a line each.
struct LabelColumn {
  std::string table;               ///< "table 'x.csv'"
  std::vector<std::string> cells;  ///< from line 2 on

  /// "table 'x.csv' line 3"
  std::string where(std::size_t cell) const { return table + " line " + std::to_string(cell + 2); }
};

/// Gives classes to a data set and to each of its samples the label of the cell at its place.
/// @throws Error naming the line where a cell does not fit the data set's task.
void read_labels(Dataset& dataset, const LabelColumn& column);
/// Makes labels what the data set's task wants, where they were read as one class each (folders) or in order of name.
/// @param order  see LabelOptions
/// @throws Error when `order` does not name every class, or the task wants numbers and the labels are folders.
void fit_labels(Dataset& dataset, const std::vector<std::string>& order, const std::string& subject);

/// As a table has it: "cat", "cat|dog", "1.5".
std::string label_text(const Dataset& dataset, const Sample& sample);
/// What a model's answer [C] comes to in the same form: the likeliest class, those of at least a half, or the numbers.
std::string answer_text(const Dataset& dataset, const at::Tensor& answer);

/// The whole text as a finite number.
std::optional<double> parse_number(const std::string& text);

}  // namespace graft
