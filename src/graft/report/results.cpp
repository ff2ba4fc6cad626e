#include "graft/report/results.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/data/csv.h"

namespace graft {
namespace {

std::vector<JudgedPhoto> read_photos(const RunFolder& folder) {
  const auto rows = read_csv(folder.predictions());
  const auto damaged = [&] {
    return Error({"'" + folder.predictions().string() + "'", "is damaged", "the file that the run has written", ""});
  };
  if (rows.empty()) throw damaged();
  const auto& header = rows.front();
  const auto probability = [&](const std::vector<std::string>& row, const std::string& name) {
    const auto column = std::find(header.begin() + 3, header.end(), "p_" + name) - header.begin();
    if (column == std::ssize(header)) throw damaged();
    const std::string& text = row[static_cast<std::size_t>(column)];
    double value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) throw damaged();
    return value;
  };
  std::vector<JudgedPhoto> photos;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const auto& row = rows[i];
    if (row.size() != header.size() || row.size() < 4) throw damaged();
    photos.push_back({(folder.path() / row[0]).lexically_normal(), row[1], row[2], probability(row, row[1]),
                      probability(row, row[2])});
  }
  std::ranges::stable_sort(photos, {}, &JudgedPhoto::of_label);
  return photos;
}

}  // namespace

RunResults read_results(const RunFolder& folder) {
  if (!std::filesystem::exists(folder.metrics()))
    throw Error({"run '" + folder.path().string() + "'", "has no metrics.json", "a finished run",
                 "go on with it: graft train --resume " + folder.path().string()});
  const Json recipe = read_json_file(folder.recipe());
  const Task task = task_named(recipe.at("task").get<std::string>());
  RunResults results{.name = std::filesystem::weakly_canonical(folder.path()).filename().string(),
                     .recipe = recipe,
                     .metrics = read_json_file(folder.metrics()),
                     .history = {},
                     .photos = one_class_each(task) ? read_photos(folder) : std::vector<JudgedPhoto>()};
  std::istringstream lines(read_file(folder.history()));
  for (std::string line; std::getline(lines, line);)
    results.history.push_back(parse_json(line, "'" + folder.history().string() + "'"));
  return results;
}

}  // namespace graft
