#include "trust_flag.h"

#include "format.h"

namespace graft::cli {

void add_trust_flag(CLI::App& command, Trust& trust) {
  command.add_flag_callback(
      "--trust",
      [&trust] {
        trust = Trust::kAnything;
        fmt::print(stderr,
                   "warning: --trust: the file is loaded without a scan: its program may read and write your files and "
                   "run code as you\n");
      },
      "load the file without a scan: only for files that you would run as a program");
}

}  // namespace graft::cli
