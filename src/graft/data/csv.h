#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace graft {

/// The cells of a table, line by line, as RFC 4180 has them. @throws Error when it cannot be read or is none.
std::vector<std::vector<std::string>> read_csv(const std::filesystem::path& path, char separator = ',');

}  // namespace graft
