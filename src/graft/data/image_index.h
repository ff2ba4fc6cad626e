#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "graft/data/examine.h"

namespace graft {

/// What the system says of a file. Where none of it has changed, its bytes have not: the change time is the system's
/// own, and no program sets it back.
struct FileStamp {
  std::int64_t bytes = 0;
  std::int64_t modified = 0;  ///< nanoseconds since 1970, UTC
  std::int64_t changed = 0;   ///< as `modified`
  std::uint64_t inode = 0;

  /// Nothing where there is no such file.
  static std::optional<FileStamp> of(const std::filesystem::path& path);
  /// Whether a later change shows: one that falls into the same tick of the file system's clock as the last would not
  /// (Git's "racily clean" entries). True for what was left alone in the two seconds before `now`.
  bool settled(std::chrono::system_clock::time_point now) const;

  bool operator==(const FileStamp&) const = default;
};

/// What earlier runs found in the images of one data set, so that those which are unchanged are not opened again: a
/// file in `folder`, named after the data set, replaced as a whole. Of two runs that replace it at once the later
/// counts, and what the other had found is found again.
class ImageIndex {
 public:
  using Message = std::function<void(const std::string&)>;

  /// @param folder  "" keeps nothing
  /// @param message  told of an index that is damaged or cannot be written: either costs time alone; may be empty
  ImageIndex(const std::filesystem::path& folder, const std::filesystem::path& data, Message message);

  /// The hash and the verdict of an image, from the index where it is unchanged; without its facts then. Several
  /// threads may call it.
  Examined examine(const std::filesystem::path& image);
  /// Images that were not opened.
  std::size_t unchanged() const { return unchanged_; }
  /// Keeps what was examined, and nothing else, for later runs.
  void save();

 private:
  struct Entry {
    FileStamp stamp;
    std::string hash;
    std::string problem;
  };

  void read();

  std::filesystem::path file_;
  std::string data_;
  Message message_;
  std::map<std::string, Entry> before_;  // by absolute path
  std::mutex mutex_;
  std::map<std::string, Entry> now_;
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
