#pragma once
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

namespace graft {

/// The whole file. @throws Error when it cannot be read.
std::string read_file(const std::filesystem::path& path);

/// Writes a file so that its name holds the old content or the new, never a part: `write` is given a temporary name in
/// the same folder, which is then synced and renamed. On any failure the temporary file is removed.
/// @throws Error when the disk is full or the folder cannot be written.
void replace_file(const std::filesystem::path& path, const std::function<void(const std::filesystem::path&)>& write);
void replace_file(const std::filesystem::path& path, std::string_view content);
void replace_file(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write);

/// The same for those who watch a file that is written anew soon: nobody sees a part of it, but when it reaches the
/// disk is left to the system.
void publish_file(const std::filesystem::path& path, std::string_view content);

/// Gives a file another name in its folder, in place of what has it, and syncs the folder.
/// @throws Error when it cannot
void rename_file(const std::filesystem::path& from, const std::filesystem::path& to);

/// @throws Error that says why by errno, which a stream leaves as the system set it
[[noreturn]] void throw_unwritable(const std::filesystem::path& path);

}  // namespace graft
