#pragma once
#include <filesystem>
#include <string>

namespace graft {

/// A new folder for what is needed for a moment; it goes with all it holds.
class WorkFolder {
 public:
  /// @throws Error when there is no place for temporary files
  WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  ~WorkFolder();

  std::filesystem::path path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace graft
