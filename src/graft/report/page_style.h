#pragma once

namespace graft {

/// The report's style sheet: light and dark as the reader's system is, one column on narrow screens.
extern const char* const kPageStyle;

}  // namespace graft
