#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace graft {

using CsvRow = std::vector<std::string>;

/// Reads a table as RFC 4180 has it and hands over its rows one by one, so that it may be larger than memory.
/// @throws Error when it cannot be read or is none.
void read_csv(const std::filesystem::path& path, char separator, const std::function<void(CsvRow)>& on_row);

}  // namespace graft
