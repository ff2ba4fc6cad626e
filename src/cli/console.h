#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "graft/core/error.h"
#include "graft/core/json.h"

namespace graft::cli {

/// One "error:" line a problem on standard error; with `json` also {"error": {…}} on standard output.
void report(const Error& error, bool json);

/// A line on standard error.
void print_note(const std::string& note);

/// JSON on standard output.
void print_json(const Json& json);

/// Rows of a table, the first its heading, in columns as wide as their widest cell.
std::string format_table(const std::vector<std::vector<std::string>>& rows);

/// A line on standard error that is drawn over and over where that is a terminal, and nothing elsewhere.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  void show(const std::string& label, std::size_t done, std::size_t total);
  void clear();

 private:
  bool terminal_;
  bool shown_ = false;
};

}  // namespace graft::cli
