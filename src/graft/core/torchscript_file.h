#pragma once
#include <torch/csrc/jit/api/module.h>

#include <filesystem>
#include <map>
#include <string>

#include "graft/core/trust.h"

namespace graft {

/// Loads a TorchScript file onto the CPU after a look at its structure: what is no zip, no TorchScript (a state_dict,
/// say) or cut short is told apart and named. Under Trust::kScan, what would do more than compute is refused before
/// LibTorch sees the file, and by its operators after.
/// @param role  what the file is to the reader: "backbone", "artifact"
/// @param extra_files  names to read from the file's extra/ folder; filled in where present
/// @throws Error naming what the file is and what to do.
torch::jit::Module load_torchscript(const std::filesystem::path& path, const std::string& role, Trust trust,
                                    std::map<std::string, std::string>* extra_files = nullptr);

/// Whether a TorchScript file carries the extra file `name`, without loading its program.
/// @throws Error as load_torchscript does for what is no TorchScript file.
bool has_extra_file(const std::filesystem::path& path, const std::string& role, const std::string& name);

}  // namespace graft
