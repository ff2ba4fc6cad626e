// What users start as `graft`. It needs no library, sets what libraries read of the environment when they are loaded,
// and becomes the program itself.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

/// Idle OpenMP threads spin for milliseconds by default, which on a busy machine costs three to six times what a small
/// training step does; not to spin at all costs twice, in system calls. A thirtieth of the default does neither. An
/// environment that already says something is kept.
void spin_shortly() {
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) setenv("GOMP_SPINCOUNT", "10000", /*overwrite=*/0);
}

/// The folder of this file, "" where /proc does not say.
std::string own_folder() {
  std::string file(4096, '\0');
  const ssize_t length = readlink("/proc/self/exe", file.data(), file.size());
  if (length < 0) return "";
  file.resize(static_cast<std::size_t>(length));
  return file.substr(0, file.rfind('/'));
}

}  // namespace

int main(int, char** argv) {
  spin_shortly();
  const std::string folder = own_folder() + "/", installed = folder + GRAFT_WHERE_INSTALLED;
  const std::string program = access(installed.c_str(), X_OK) == 0 ? installed : folder + "libexec/graft";
  execv(program.c_str(), argv);
  std::fprintf(stderr, "error: graft: cannot start %s: %s\n", program.c_str(), std::strerror(errno));
  return 1;
}
