#include "console.h"
#include "format.h"

#include <unistd.h>

#include <algorithm>

namespace graft::cli {
namespace {

constexpr std::size_t kBarWidth = 30;

/// Characters, not bytes.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

Json problem_json(const Problem& problem) {
  return {
      {"subject", problem.subject}, {"found", problem.found}, {"expected", problem.expected}, {"hint", problem.hint}};
}

}  // namespace

void report(const Error& error, bool json) {
  for (const auto& problem : error.problems()) fmt::print(stderr, "error: {}\n", problem.message());
  if (!json) return;
  Json answer{{"error", problem_json(error.problems().front())}};
  if (error.problems().size() > 1) {
    answer["errors"] = Json::array();
    for (const auto& problem : error.problems()) answer["errors"].push_back(problem_json(problem));
  }
  print_json(answer);
}

void print_note(const std::string& note) { fmt::print(stderr, "{}\n", note); }

void print_json(const Json& json) { fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace)); }

std::string format_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], width(row[i]));
    }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += row[i] + std::string(i + 1 < row.size() ? widths[i] - width(row[i]) + 2 : 0, ' ');
    text += line + "\n";
  }
  return text;
}

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) == 1) {}

void ProgressLine::show(const std::string& label, std::size_t done, std::size_t total) {
  if (!terminal_ || total == 0) return;
  const std::size_t filled = kBarWidth * std::min(done, total) / total;
  fmt::print(stderr, "\r\033[K{} [{}{}] {}/{}", label, std::string(filled, '#'), std::string(kBarWidth - filled, '.'),
             done, total);
  std::fflush(stderr);
  shown_ = true;
}

void ProgressLine::clear() {
  if (shown_) fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace graft::cli
