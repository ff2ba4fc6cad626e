#pragma once
#include <string>

namespace graft {

/// The cause in the text of one of LibTorch's exceptions, on one line: without the place in its sources, the
/// interpreter's traceback and the advice for its developers.
std::string reason_in(const std::string& text);

}  // namespace graft
