#include "graft/core/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "graft/core/error.h"

namespace graft {
namespace {

std::string quoted(const std::filesystem::path& path) { return "'" + path.string() + "'"; }

void sync_to_disk(const std::filesystem::path& path, int flags) {
  const int handle = ::open(path.c_str(), flags);
  const bool synced = handle >= 0 && ::fsync(handle) == 0;
  const int reason = errno;
  if (handle >= 0) ::close(handle);
  if (!synced)
    throw Error({quoted(path), std::string("cannot be synced to disk (") + std::strerror(reason) + ")", "", ""});
}

class RemovedUnlessKept {
 public:
  explicit RemovedUnlessKept(std::filesystem::path path) : path_(std::move(path)) {}
  RemovedUnlessKept(const RemovedUnlessKept&) = delete;
  RemovedUnlessKept& operator=(const RemovedUnlessKept&) = delete;
  ~RemovedUnlessKept() {
    std::error_code ignored;
    if (!kept_) std::filesystem::remove(path_, ignored);
  }
  void keep() { kept_ = true; }

 private:
  std::filesystem::path path_;
  bool kept_ = false;
};

std::filesystem::path temporary_name(const std::filesystem::path& path) {
  return path.string() + ".tmp" + std::to_string(::getpid());
}

/// Errors name `path`, whose content this is to be.
void write_stream(const std::filesystem::path& temporary, const std::filesystem::path& path,
                  const std::function<void(std::ostream&)>& write) {
  std::ofstream file(temporary, std::ios::binary);
  write(file);
  file.flush();
  if (!file) throw_unwritable(path);
}

void write_content(const std::filesystem::path& temporary, const std::filesystem::path& path,
                   std::string_view content) {
  write_stream(temporary, path,
               [&](std::ostream& file) { file.write(content.data(), static_cast<std::streamsize>(content.size())); });
}

void give_name(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code failure;
  std::filesystem::rename(from, to, failure);
  if (failure) throw Error({quoted(to), "cannot be written (" + failure.message() + ")", "a writable folder", ""});
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (!file || std::filesystem::is_directory(path))
    throw Error({quoted(path), "cannot be opened", "a readable file", ""});
  content << file.rdbuf();
  if (file.bad()) throw Error({quoted(path), "cannot be read to its end", "a readable file", ""});
  return std::move(content).str();
}

void replace_file(const std::filesystem::path& path, const std::function<void(const std::filesystem::path&)>& write) {
  const std::filesystem::path temporary = temporary_name(path);
  RemovedUnlessKept guard(temporary);
  write(temporary);
  sync_to_disk(temporary, O_RDWR);
  rename_file(temporary, path);
  guard.keep();
}

void replace_file(const std::filesystem::path& path, std::string_view content) {
  replace_file(path, [&](const std::filesystem::path& temporary) { write_content(temporary, path, content); });
}

void replace_file(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write) {
  replace_file(path, [&](const std::filesystem::path& temporary) { write_stream(temporary, path, write); });
}

void publish_file(const std::filesystem::path& path, std::string_view content) {
  const std::filesystem::path temporary = temporary_name(path);
  RemovedUnlessKept guard(temporary);
  write_content(temporary, path, content);
  give_name(temporary, path);
  guard.keep();
}

void rename_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  give_name(from, to);
  sync_to_disk(to.parent_path().empty() ? "." : to.parent_path(), O_RDONLY | O_DIRECTORY);
}

void throw_unwritable(const std::filesystem::path& path) {
  throw Error({quoted(path), std::string("cannot be written (") + std::strerror(errno) + ")",
               "a writable folder with room", ""});
}

}  // namespace graft
