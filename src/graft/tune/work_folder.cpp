#include "graft/tune/work_folder.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>

#include "graft/core/error.h"

namespace graft {

WorkFolder::WorkFolder() : path_((std::filesystem::temp_directory_path() / "graft-XXXXXX").string()) {
  if (::mkdtemp(path_.data()) == nullptr)
    throw Error({"'" + path_ + "'", std::string("cannot be made (") + std::strerror(errno) + ")",
                 "a writable folder for temporary files", "TMPDIR names another"});
}

WorkFolder::~WorkFolder() {
  std::error_code none;
  std::filesystem::remove_all(path_, none);
}

}  // namespace graft
