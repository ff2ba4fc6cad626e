#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "graft/data/examine.h"
#include "graft/data/image_findings.h"

namespace graft {

/// What earlier runs found in the images of one data set, so that those which are unchanged are not opened again: a
/// file in `folder`, named after the data set, replaced as a whole. Of two runs that replace it at once the later
/// counts, and what the other had found is found again.
class ImageIndex {
 public:
  using Message = std::function<void(const std::string&)>;

  /// @param folder  "" keeps nothing
  /// @param message  told of an index that is damaged or cannot be written: either costs time alone; may be empty
  ImageIndex(const std::filesystem::path& folder, const std::filesystem::path& data, Message message);

  /// Makes room for what so many images will have.
  void expect(std::size_t images);
  /// The hash and the verdict of an image, from the index where it is unchanged; without its facts then. Several
  /// threads may call it.
  Examined examine(const std::filesystem::path& image);
  /// Images that were not opened.
  std::size_t unchanged() const { return unchanged_; }
  /// Keeps what was examined, and nothing else, for later runs.
  void save();

 private:
  void read();
  const FoundImage* unchanged_image(const Digest& path, const FileStamp& stamp) const;
  /// Of all that was examined, in order of path, each once.
  std::vector<const FoundImage*> all() const;

  std::filesystem::path file_;
  Message message_;
  ImageFindings before_;
  std::mutex mutex_;
  std::vector<bool> seen_;  // of `before_`, which are as they were
  ImageFindings now_;       // what has changed
  std::size_t unchanged_ = 0;
};

/// An image index on disk.
struct StoredIndex {
  std::filesystem::path file;
  std::string data;  ///< the data set's path; "" of a damaged one
  std::size_t images = 0;
  std::uintmax_t bytes = 0;
  std::chrono::system_clock::time_point last_used;
};

/// The indexes in a folder, the one used longest ago first.
std::vector<StoredIndex> list_image_indexes(const std::filesystem::path& folder);

}  // namespace graft
