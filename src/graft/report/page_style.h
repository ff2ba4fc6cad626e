#pragma once
#include <string>

namespace graft {

/// The report's style sheet: light and dark as the reader's system is, one column on narrow screens.
extern const char* const kPageStyle;

/// A whole page that needs nothing else.
/// @param title  as text; what `body` holds is HTML
std::string html_page(const std::string& title, const std::string& note, const std::string& body);

}  // namespace graft
