#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "graft/core/error.h"
#include "graft/core/names.h"
#include "graft/data/csv.h"
#include "graft/data/dataset.h"
#include "graft/data/labels.h"

namespace graft {
namespace {

/// Where each known column stands.
class Columns {
 public:
  Columns(const CsvRow& header, const std::string& subject) : count_(header.size()) {
    static const std::vector<std::string> kKnown{"path", "label", "split", "weight", "group"};
    std::vector<Problem> problems;
    for (std::size_t i = 0; i < header.size(); ++i) {
      if (std::find(kKnown.begin(), kKnown.end(), header[i]) == kKnown.end())
        problems.push_back(
            {subject, "unknown column '" + header[i] + "'", "one of " + join(kKnown), did_you_mean(header[i], kKnown)});
      index_[header[i]] = i;
    }
    for (const char* needed : {"path", "label"})
      if (!index_.contains(needed))
        problems.push_back({subject, std::string("has no column '") + needed + "'", "a header with path,label", ""});
    if (!problems.empty()) throw Error(problems);
  }

  std::size_t count() const { return count_; }
  /// The cell, "" where the table has no such column.
  std::string cell(const CsvRow& row, const std::string& column) const {
    const auto found = index_.find(column);
    return found == index_.end() ? "" : row[found->second];
  }

 private:
  std::size_t count_;
  std::map<std::string, std::size_t> index_;
};

double parse_weight(const std::string& text, const std::string& where) {
  if (text.empty()) return 1;
  double weight = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), weight);
  if (failure != std::errc() || end != text.data() + text.size() || !(weight >= 0) || weight > 1e30)
    throw Error({where, "weight is '" + text + "'", "a number at least 0", ""});
  return weight;
}

Sample parse_row(const CsvRow& row, const Columns& columns, const std::filesystem::path& base,
                 const std::string& where) {
  Sample sample;
  sample.path = (base / columns.cell(row, "path")).string();
  sample.weight = parse_weight(columns.cell(row, "weight"), where);
  const std::string split = columns.cell(row, "split");
  sample.split = parse_split(split);
  if (!split.empty() && !sample.split) throw Error({where, "split is '" + split + "'", "train, val or test", ""});
  return sample;
}

/// Gives samples the groups that they name. `names` are of the samples, "" of one that has none.
void give_groups(Dataset& dataset, const std::vector<std::string>& names) {
  dataset.groups = names;
  std::ranges::sort(dataset.groups);
  const auto repeated = std::ranges::unique(dataset.groups);
  dataset.groups.erase(repeated.begin(), repeated.end());
  std::erase(dataset.groups, "");
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) continue;
    const auto group = std::ranges::lower_bound(dataset.groups, names[i]);
    dataset.samples[i].group = static_cast<std::int32_t>(group - dataset.groups.begin());
  }
}

}  // namespace

Dataset read_manifest(const std::filesystem::path& table, Task task) {
  const std::string subject = "table '" + table.string() + "'";
  const std::string extension = table.extension().string();
  if (extension != ".csv" && extension != ".tsv")
    throw Error({subject, "is neither a folder nor a table", "a folder of class folders, or a .csv or .tsv file", ""});
  Dataset dataset;
  dataset.task = task;
  std::optional<Columns> columns;
  LabelColumn labels{subject, {}};
  std::vector<std::string> groups;
  read_csv(table, extension == ".csv" ? ',' : '\t', [&](const CsvRow& row) {
    if (!columns) return void(columns.emplace(row, subject));
    const std::string where = labels.where(labels.cells.size());
    if (row.size() != columns->count())
      throw Error({where, "has " + std::to_string(row.size()) + " cells",
                   std::to_string(columns->count()) + ", as the header", ""});
    dataset.samples.push_back(parse_row(row, *columns, table.parent_path(), where));
    labels.cells.push_back(columns->cell(row, "label"));
    groups.push_back(columns->cell(row, "group"));
  });
  if (labels.cells.empty()) throw Error({subject, "has no rows", "a header and one line an image", ""});
  give_groups(dataset, groups);
  read_labels(dataset, labels);
  return dataset;
}

}  // namespace graft
