#include "graft/data/csv.h"

#include <csv.h>

#include <memory>
#include <utility>

#include "graft/core/error.h"
#include "graft/core/files.h"

namespace graft {
namespace {

using Row = std::vector<std::string>;

/// Collects the rows that libcsv announces cell by cell.
struct Rows {
  std::vector<Row> rows;
  Row row;

  static void cell(void* text, std::size_t length, void* self) {
    static_cast<Rows*>(self)->row.emplace_back(static_cast<const char*>(text), length);
  }
  static void end_of_row(int, void* self) {
    auto& rows = *static_cast<Rows*>(self);
    rows.rows.push_back(std::exchange(rows.row, {}));
  }
};

}  // namespace

std::vector<std::vector<std::string>> read_csv(const std::filesystem::path& path, char separator) {
  csv_parser parser;
  csv_init(&parser, CSV_STRICT | CSV_APPEND_NULL);
  const std::unique_ptr<csv_parser, decltype(&csv_free)> guard(&parser, &csv_free);
  csv_set_delim(&parser, static_cast<unsigned char>(separator));
  const std::string text = read_file(path);
  Rows rows;
  const bool parsed =
      csv_parse(&parser, text.data(), text.size(), &Rows::cell, &Rows::end_of_row, &rows) == text.size() &&
      csv_fini(&parser, &Rows::cell, &Rows::end_of_row, &rows) == 0;
  if (!parsed)
    throw Error(
        {"table '" + path.string() + "'",
         "line " + std::to_string(rows.rows.size() + 1) + " is no CSV (" + csv_strerror(csv_error(&parser)) + ")",
         "RFC 4180: quotes doubled within quotes", ""});
  return std::move(rows.rows);
}

}  // namespace graft
