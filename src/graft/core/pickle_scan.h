#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "graft/core/source_scan.h"

namespace graft {

/// Reads a pickle of a TorchScript file without making anything of it: only the instructions that LibTorch's pickler
/// writes, only classes of the program and the few functions that tensors and lists need; tensors within their
/// storages, storages within their records; nothing nested, shared or circular in a way that overflows a stack.
/// @param storage_bytes  the size of the record that holds the storage of a name, nothing when there is none
/// @returns nothing when it may be read.
std::optional<Refusal> scan_pickle(
    std::string_view pickle, const std::function<std::optional<std::uint64_t>(const std::string&)>& storage_bytes);

}  // namespace graft
