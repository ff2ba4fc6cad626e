#pragma once
#include <cstdint>
#include <string>

namespace graft {

/// "3.4 M", "1.2 k", "999".
std::string short_count(std::int64_t number);

/// "95 %" of 0.95.
std::string whole_percent(double part);

}  // namespace graft
