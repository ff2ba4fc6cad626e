#include "graft/data/csv.h"

#include <csv.h>

#include <fstream>
#include <memory>
#include <utility>

#include "graft/core/error.h"

namespace graft {
namespace {

/// Collects the rows that libcsv announces cell by cell.
class Parser {
 public:
  explicit Parser(char separator) {
    csv_init(parser_.get(), CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL);
    csv_set_delim(parser_.get(), static_cast<unsigned char>(separator));
  }

  /// False where the text is no CSV.
  bool read(std::string_view text) {
    return csv_parse(parser_.get(), text.data(), text.size(), &Parser::cell, &Parser::end_of_row, this) == text.size();
  }
  bool finish() { return csv_fini(parser_.get(), &Parser::cell, &Parser::end_of_row, this) == 0; }
  std::string failure() const { return csv_strerror(csv_error(parser_.get())); }
  /// The rows that have ended since the last call.
  std::vector<CsvRow> rows() { return std::exchange(rows_, {}); }

 private:
  struct Free {
    void operator()(csv_parser* parser) const {
      csv_free(parser);
      delete parser;
    }
  };
  static void cell(void* text, std::size_t length, void* self) {
    static_cast<Parser*>(self)->row_.emplace_back(static_cast<const char*>(text), length);
  }
  static void end_of_row(int, void* self) {
    auto& parser = *static_cast<Parser*>(self);
    parser.rows_.push_back(std::exchange(parser.row_, {}));
  }

  std::unique_ptr<csv_parser, Free> parser_{new csv_parser};
  CsvRow row_;
  std::vector<CsvRow> rows_;
};

}  // namespace

void read_csv(const std::filesystem::path& path, char separator, const std::function<void(CsvRow)>& on_row) {
  const std::string subject = "table '" + path.string() + "'";
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path)) throw Error({subject, "cannot be opened", "a readable file", ""});
  Parser parser(separator);
  std::size_t line = 0;
  std::string block(1U << 16U, '\0');
  bool is_csv = true;
  while (is_csv && file) {
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    is_csv = parser.read(std::string_view(block).substr(0, static_cast<std::size_t>(file.gcount())));
    if (file.eof()) is_csv = is_csv && parser.finish();
    for (auto& row : parser.rows()) ++line, on_row(std::move(row));
  }
  if (file.bad()) throw Error({subject, "cannot be read to its end", "a readable file", ""});
  if (!is_csv)
    throw Error({subject, "line " + std::to_string(line + 1) + " is no CSV (" + parser.failure() + ")",
                 "RFC 4180: quotes doubled within quotes", ""});
}

}  // namespace graft
