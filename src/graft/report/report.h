#pragma once
#include <filesystem>

#include "graft/train/run_folder.h"

namespace graft {

/// Writes report.html into the folder of a finished run: one page that needs nothing else and asks no network for
/// anything, with curves, confusion, classes and the photos that are most wrong. What names say is escaped.
/// @returns the file
/// @throws Error when the run is not finished, or its files cannot be read or the page written.
std::filesystem::path write_report(const RunFolder& folder);

}  // namespace graft
