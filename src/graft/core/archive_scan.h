#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace graft {

/// One file inside an archive.
struct ArchiveRecord {
  std::uint64_t size = 0;  ///< bytes, unpacked
  bool compressed = false;
};

/// The records of a TorchScript archive by name, without the folder that all of them lie in.
using ArchiveRecords = std::map<std::string, ArchiveRecord>;

/// Reads a zip archive's directory and looks whether it is one that torch.jit.save could have written: one folder, no
/// name twice, no path that leads out, sizes that fit the file's, nothing that unpacks to more than a program needs.
/// Nothing is unpacked. `subject` names the file in errors.
/// @throws Error when it is not, or the archive is damaged.
ArchiveRecords scan_archive(const std::filesystem::path& path, const std::string& subject);

/// Reads every record and holds it against its checksum.
/// @throws Error naming the record that is damaged.
void check_archive_checksums(const std::filesystem::path& path, const std::string& subject);

}  // namespace graft
