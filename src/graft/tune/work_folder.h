#pragma once
#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

#include "graft/core/error.h"

namespace graft {

/// A new folder for what is needed for a moment; it goes with all it holds.
class WorkFolder {
 public:
  WorkFolder() : path_((std::filesystem::temp_directory_path() / "graft-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr)
      throw Error({"'" + path_ + "'", std::string("cannot be made (") + std::strerror(errno) + ")",
                   "a writable folder for temporary files", "TMPDIR names another"});
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  ~WorkFolder() {
    std::error_code none;
    std::filesystem::remove_all(path_, none);
  }

  std::filesystem::path path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace graft
