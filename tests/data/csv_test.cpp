#include "graft/data/csv.h"

#include <gtest/gtest.h>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

std::vector<CsvRow> rows_of(const std::filesystem::path& file, char separator = ',') {
  std::vector<CsvRow> rows;
  read_csv(file, separator, [&](CsvRow row) { rows.push_back(std::move(row)); });
  return rows;
}

TEST(ReadCsv, RowsAreWholeWhereverABlockOfTheFileEnds) {
  const test::TemporaryFolder folder;
  std::string text;
  std::vector<CsvRow> expected;
  for (int i = 0; i < 20'000; ++i) {
    const std::string name = "photo " + std::to_string(i);
    text += "\"" + name + ", \"\"large\"\"\nand old\"," + std::to_string(i) + ",\n";
    expected.push_back({name + ", \"large\"\nand old", std::to_string(i), ""});
  }
  replace_file(folder / "t.csv", text);
  EXPECT_EQ(rows_of(folder / "t.csv"), expected);
}

TEST(ReadCsv, TheLastLineMayLackItsEnd) {
  const test::TemporaryFolder folder;
  replace_file(folder / "t.tsv", "a\tb\r\nc\td");
  EXPECT_EQ(rows_of(folder / "t.tsv", '\t'), (std::vector<CsvRow>{{"a", "b"}, {"c", "d"}}));
  replace_file(folder / "t.tsv", "");
  EXPECT_EQ(rows_of(folder / "t.tsv", '\t'), (std::vector<CsvRow>{}));
}

TEST(ReadCsv, NamesTheLineThatIsNone) {
  const test::TemporaryFolder folder;
  for (const char* text : {"a,b\nc,d\"e\n", "a,b\nc,\"d\n"}) {
    replace_file(folder / "t.csv", text);
    try {
      rows_of(folder / "t.csv");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("line 2 is no CSV"), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(rows_of(folder.path()), Error);
  EXPECT_THROW(rows_of(folder / "absent.csv"), Error);
}

TEST(ReadCsv, RowsBeforeADamagedOneAreHandedOver) {
  const test::TemporaryFolder folder;
  replace_file(folder / "t.csv", "a,b\nc,d\"e\n");
  int rows = 0;
  EXPECT_THROW(read_csv(folder / "t.csv", ',', [&](const CsvRow&) { ++rows; }), Error);
  EXPECT_EQ(rows, 1);
}

}  // namespace
}  // namespace graft
