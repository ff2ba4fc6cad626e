#include "graft/core/reason.h"

#include <algorithm>

namespace graft {

std::string reason_in(const std::string& text) {
  // The interpreter reports what it ran first and the cause last.
  constexpr std::string_view kCause = "RuntimeError: ";
  const auto cause = text.rfind(kCause);
  std::string reason = cause == std::string::npos ? text : text.substr(cause + kCause.size());
  if (reason.starts_with("[enforce fail")) reason.erase(0, std::min(reason.size(), reason.find("] ") + 2));
  reason.erase(0, reason.find_first_not_of(" \n"));
  return reason.substr(0, std::min(reason.find('\n'), reason.find(". ")));
}

}  // namespace graft
