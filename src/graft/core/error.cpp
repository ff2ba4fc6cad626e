#include "graft/core/error.h"

#include <algorithm>
#include <utility>

namespace graft {
namespace {

std::string on_one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string join_messages(const std::vector<Problem>& problems) {
  std::string text;
  for (const auto& problem : problems) text += (text.empty() ? "" : "\n") + problem.message();
  return text;
}

}  // namespace

std::string Problem::message() const {
  std::string text = subject + ": " + found;
  if (!expected.empty()) text += ", expected " + expected;
  if (!hint.empty()) text += ": " + hint;
  return on_one_line(std::move(text));
}

Error::Error(Problem problem) : Error(std::vector<Problem>{std::move(problem)}) {}

Error::Error(std::vector<Problem> problems)
    : std::runtime_error(join_messages(problems)), problems_(std::move(problems)) {}

}  // namespace graft
