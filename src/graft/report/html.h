#pragma once
#include <string>
#include <string_view>

namespace graft {

/// Text as it may stand between tags and in quoted attributes.
std::string escape_html(std::string_view text);

/// RFC 4648, with padding.
std::string base64(std::string_view bytes);

/// A number with so many digits behind the point, whatever the locale.
std::string fixed(double value, int digits);
/// "93.1 %".
std::string percent(double part);
/// Three significant digits, "0.00123" or "1.2e-05".
std::string short_number(double value);
/// "1 h 02 min", "3 min 20 s", "4.2 s".
std::string duration(double seconds);

}  // namespace graft
