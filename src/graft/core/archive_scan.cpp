#include "graft/core/archive_scan.h"

#include <zip.h>

#include <array>
#include <memory>

#include "graft/core/error.h"

namespace graft {
namespace {

// Far above what networks have (1,600 records; 20 kB a source; 100 kB a pickle), far below what hurts.
constexpr std::int64_t kMaxRecords = 100'000;
constexpr std::uint64_t kMaxUnpacked = std::uint64_t{128} << 20;
constexpr std::uint64_t kMaxSmallRecord = 4096;

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, CloseArchive>;

[[noreturn]] void throw_damaged(const std::string& subject, const std::string& reason) {
  throw Error(
      {subject, "is a damaged zip archive (" + reason + ")", "a complete TorchScript file", "incomplete download?"});
}

[[noreturn]] void throw_hostile(const std::string& subject, const std::string& found) {
  throw Error({subject, found, "an archive as torch.jit.save writes it", "do not use it unless you know who made it"});
}

Archive open(const std::filesystem::path& path, const std::string& subject) {
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
  if (archive) return archive;
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  throw_damaged(subject, reason);
}

/// A name as it may stand in an error: no control characters, not too long.
std::string shown_name(const std::string& name) {
  std::string text = name.substr(0, 80);
  for (auto& letter : text)
    if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) letter = '?';
  return "'" + text + "'";
}

void check_name(const std::string& name, const std::string& subject) {
  const bool leads_out = name.starts_with('/') || name.find('\\') != std::string::npos ||
                         ("/" + name + "/").find("/../") != std::string::npos;
  if (leads_out || name.find('\0') != std::string::npos)
    throw_hostile(subject, "holds a record named " + shown_name(name) + ", a path that leads out of the archive");
}

/// Records that LibTorch unpacks before it looks at anything else.
bool is_small(const std::string& name) {
  return name == "version" || name == "byteorder" || name.starts_with(".data/");
}

void check_size(const std::string& name, const ArchiveRecord& record, const std::string& subject) {
  if (is_small(name) && record.size > kMaxSmallRecord)
    throw_hostile(subject,
                  "says that its record " + shown_name(name) + " is " + std::to_string(record.size) + " bytes long");
  if (record.compressed && (name.starts_with("data/") || name.starts_with("constants/")))
    throw_hostile(subject, "was packed anew: its tensors (" + shown_name(name) + ") are compressed");
}

ArchiveRecord stat_record(zip_t* archive, zip_uint64_t index, const std::string& subject, std::uint64_t& packed) {
  zip_stat_t stat;
  constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
  if (zip_stat_index(archive, index, ZIP_FL_ENC_RAW, &stat) != 0 || (stat.valid & kNeeded) != kNeeded)
    throw_damaged(subject, zip_strerror(archive));
  if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE)
    throw_hostile(subject,
                  "holds a record " + shown_name(stat.name) + " packed by method " + std::to_string(stat.comp_method));
  if ((stat.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && stat.encryption_method != ZIP_EM_NONE)
    throw_hostile(subject, "holds an encrypted record " + shown_name(stat.name));
  const bool compressed = stat.comp_method == ZIP_CM_DEFLATE;
  if (!compressed && stat.size != stat.comp_size)
    throw_damaged(subject, "record " + shown_name(stat.name) + " has two sizes");
  packed += std::min<std::uint64_t>(stat.comp_size, std::uint64_t{1} << 50);
  return {stat.size, compressed};
}

}  // namespace

ArchiveRecords scan_archive(const std::filesystem::path& path, const std::string& subject) {
  const Archive archive = open(path, subject);
  const auto count = zip_get_num_entries(archive.get(), 0);
  if (count > kMaxRecords) throw_hostile(subject, "holds " + std::to_string(count) + " records");
  ArchiveRecords records;
  std::string folder;
  std::uint64_t packed = 0, unpacked = 0;
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(count); ++i) {
    const char* raw = zip_get_name(archive.get(), i, ZIP_FL_ENC_RAW);
    if (raw == nullptr) throw_damaged(subject, zip_strerror(archive.get()));
    const std::string name = raw;
    check_name(name, subject);
    const ArchiveRecord record = stat_record(archive.get(), i, subject, packed);
    const std::string inside = name.substr(std::min(name.size(), name.find('/') + 1));
    const std::string outside = name.substr(0, name.find('/'));
    if (name.find('/') == std::string::npos || (!folder.empty() && outside != folder)) return {};
    folder = outside;
    check_size(inside, record, subject);
    if (record.compressed) unpacked += std::min(record.size, kMaxUnpacked + 1);
    if (unpacked > kMaxUnpacked)
      throw_hostile(subject,
                    "unpacks to more than " + std::to_string(kMaxUnpacked >> 20) + " MB of compressed records");
    if (name.ends_with('/')) continue;
    if (!records.emplace(inside, record).second)
      throw_hostile(subject, "holds the record " + shown_name(inside) + " twice");
  }
  if (packed > std::filesystem::file_size(path))
    throw_hostile(subject, "says that its records are longer than the file");
  return records;
}

void check_archive_checksums(const std::filesystem::path& path, const std::string& subject) {
  const Archive archive = open(path, subject);
  std::array<char, std::size_t{1} << 16> buffer;
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(zip_get_num_entries(archive.get(), 0)); ++i) {
    const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen_index(archive.get(), i, 0), zip_fclose);
    if (!file) throw_damaged(subject, zip_strerror(archive.get()));
    zip_int64_t length = 0;
    while ((length = zip_fread(file.get(), buffer.data(), buffer.size())) > 0) continue;
    if (length < 0)
      throw_damaged(subject, "record " + shown_name(zip_get_name(archive.get(), i, ZIP_FL_ENC_RAW)) + ": " +
                                 zip_file_strerror(file.get()));
  }
}

}  // namespace graft
