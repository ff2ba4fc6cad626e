#pragma once
#include <filesystem>
#include <string>

#include "graft/core/archive_scan.h"

namespace graft {

/// Looks at a TorchScript file before LibTorch does: what is no zip, no TorchScript (a state_dict, say), cut short or
/// damaged is told apart and named. Nothing of it is run.
/// @param subject  names the file in errors
/// @returns what the archive holds
/// @throws Error naming what the file is and what to do.
ArchiveRecords check_torchscript_archive(const std::filesystem::path& path, const std::string& subject);

/// Looks at the program and the data of such a file for what would do more than compute: see scan_sources and
/// scan_pickle. `records` are what check_torchscript_archive has returned. What is read is read by LibTorch's own
/// reader, so that nothing else is loaded later.
/// @throws Error saying what was found; quantised and inference-only files are named as such.
void scan_torchscript_program(const std::filesystem::path& path, const ArchiveRecords& records,
                              const std::string& subject);

}  // namespace graft
