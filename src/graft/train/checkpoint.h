#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

#include "graft/core/json.h"

namespace graft {

/// Everything that decides the next step of a run. The file is a plain dictionary of tensors that Python's torch.load
/// reads too; "state.json" in it holds the rest as bytes.
struct Checkpoint {
  Json state;
  std::map<std::string, at::Tensor> tensors;

  /// The tensors under "PREFIX/", without it.
  std::map<std::string, at::Tensor> under(const std::string& prefix) const;
  void put(const std::string& prefix, const std::map<std::string, at::Tensor>& values);
};

/// Writes to a temporary name, syncs and renames.
void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);
/// @throws Error when the file is missing, damaged or no checkpoint.
Checkpoint load_checkpoint(const std::filesystem::path& path);

}  // namespace graft
