#include "graft/core/short_count.h"

#include <cmath>
#include <cstdio>

namespace graft {

std::string short_count(std::int64_t number) {
  if (number < 1000) return std::to_string(number);
  char text[32];
  const bool millions = number >= 1000000;
  std::snprintf(text, sizeof text, "%.1f %s", static_cast<double>(number) / (millions ? 1e6 : 1e3),
                millions ? "M" : "k");
  return text;
}

std::string whole_percent(double part) { return std::to_string(std::lround(100 * part)) + " %"; }

}  // namespace graft
