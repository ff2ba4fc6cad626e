#include "graft/report/results.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/names.h"
#include "graft/data/csv.h"
#include "graft/data/labels.h"
#include "graft/report/html.h"

namespace graft {
namespace {

using Row = std::vector<std::string>;

Error damaged(const RunFolder& folder) {
  return Error({"'" + folder.predictions().string() + "'", "is damaged", "the file that the run has written", ""});
}

/// The parts of "a|b".
Row parts_of(const std::string& text) {
  Row parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, '|');) parts.push_back(part);
  return parts;
}

/// How far the numbers of a label are from those predicted.
double distance(const Row& label, const Row& predicted) {
  double sum = 0;
  for (std::size_t i = 0; i < std::min(label.size(), predicted.size()); ++i)
    sum += std::abs(parse_number(label[i]).value_or(0) - parse_number(predicted[i]).value_or(0));
  return sum;
}

/// Judges a row of predictions.csv: path, label, predicted, and but of numbers the probability of each class.
JudgedPhoto judged(const RunFolder& folder, const Row& header, const Row& row, const std::string& task) {
  constexpr std::size_t kFirst = 3;
  if (row.size() != header.size() || row.size() < kFirst) throw damaged(folder);
  JudgedPhoto photo{(folder.path() / row[0]).lexically_normal(), row[1], row[2]};
  if (task == "regression") {
    photo.wrong = distance(parts_of(photo.label), parts_of(photo.predicted));
    return photo;
  }
  const bool one_each = task != "multi_label";
  const Row labels = one_each ? Row{photo.label} : parts_of(photo.label);
  for (std::size_t i = kFirst; i < row.size(); ++i) {
    const auto probability = parse_number(row[i]);
    if (!probability) throw damaged(folder);
    const std::string name = header[i].substr(2);  // behind "p_"
    const bool is_of = contains(labels, name);
    if (one_each && is_of) photo.wrong = 1 - *probability;
    if (!one_each) photo.wrong += std::abs(*probability - is_of) / static_cast<double>(row.size() - kFirst);
    if (one_each && name == photo.predicted) photo.certainty = percent(*probability);
  }
  return photo;
}

/// The most wrong photos of a file of any length, so many at most; of equal ones the first.
class MostWrong {
 public:
  explicit MostWrong(std::size_t most) : most_(most) {}

  void add(JudgedPhoto photo) {
    const auto place = std::ranges::upper_bound(photos_, photo.wrong, std::greater<>(), &JudgedPhoto::wrong);
    photos_.insert(place, std::move(photo));
    if (photos_.size() > most_) photos_.pop_back();
  }
  std::vector<JudgedPhoto> take() { return std::move(photos_); }
  bool empty() const { return photos_.empty(); }

 private:
  std::size_t most_;
  std::vector<JudgedPhoto> photos_;
};

std::vector<JudgedPhoto> worst_photos(const RunFolder& folder, const std::string& task) {
  constexpr std::size_t kMistaken = 24, kLeastCertain = 8;
  CsvRow header;
  MostWrong mistaken(kMistaken), right(kLeastCertain);
  read_csv(folder.predictions(), ',', [&](const CsvRow& row) {
    if (header.empty()) {
      header = row;
      return;
    }
    JudgedPhoto photo = judged(folder, header, row, task);
    (photo.label == photo.predicted ? right : mistaken).add(std::move(photo));
  });
  if (header.empty()) throw damaged(folder);
  return mistaken.empty() ? right.take() : mistaken.take();
}

}  // namespace

RunResults read_results(const RunFolder& folder) {
  if (!std::filesystem::exists(folder.metrics()))
    throw Error({"run '" + folder.path().string() + "'", "has no metrics.json", "a finished run",
                 "go on with it: graft train --resume " + folder.path().string()});
  RunResults results{.name = std::filesystem::weakly_canonical(folder.path()).filename().string(),
                     .recipe = read_json_file(folder.recipe()),
                     .metrics = read_json_file(folder.metrics()),
                     .history = {},
                     .photos = {}};
  results.photos = worst_photos(folder, results.recipe.at("task").get<std::string>());
  std::istringstream lines(read_file(folder.history()));
  for (std::string line; std::getline(lines, line);)
    results.history.push_back(parse_json(line, "'" + folder.history().string() + "'"));
  return results;
}

}  // namespace graft
