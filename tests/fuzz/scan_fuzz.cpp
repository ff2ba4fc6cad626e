// What a stranger's file meets before LibTorch loads it. The first byte of an input says what the rest is: an archive
// ('A'), the pickle ('P') or the source ('S') of one, which checksums would otherwise keep from being mutated.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "graft/core/error.h"
#include "graft/core/pickle_scan.h"
#include "graft/core/source_scan.h"
#include "graft/core/torchscript_scan.h"

namespace {

void scan_archive_bytes(std::string_view bytes) {
  static const int file = memfd_create("archive", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (ftruncate(file, 0) != 0 || pwrite(file, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    std::abort();
  graft::scan_torchscript_program(path, graft::check_torchscript_archive(path, "file"), "file");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if (data[0] == 'A') scan_archive_bytes(rest);
    if (data[0] == 'P')
      graft::scan_pickle(rest, [](const std::string& key) { return std::optional<std::uint64_t>(key.size() * 1024); });
    if (data[0] == 'S') graft::scan_sources({{"code/__torch__/net.py", std::string(rest)}});
  } catch (const graft::Error&) {
    // The one way to say no.
  }
  return 0;
}
