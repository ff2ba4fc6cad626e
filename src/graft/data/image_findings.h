#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graft/core/hash.h"

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

/// An image that was examined.
struct FoundImage {
  Digest path;  ///< of the absolute path
  FileStamp stamp;
  Digest hash;  ///< of the file's bytes
};

/// What was found in the images of a data set, as it is kept in a file: a line of JSON, the images as they are in
/// memory, in order of `path`, and the SHA-256 of all that.
struct ImageFindings {
  struct About {
    std::string decoder;                     ///< decoder_version() of what examined them
    std::string data;                        ///< the data set's path
    std::map<Digest, std::string> problems;  ///< why images are left out, by FoundImage::path
  };
  About about;
  std::vector<FoundImage> images;

  /// @throws Error when the file is not as it was written
  static ImageFindings read(const std::filesystem::path& file);
  /// @throws Error when the disk is full or the folder cannot be written
  static void write(const std::filesystem::path& file, const About& about,
                    const std::vector<const FoundImage*>& images);
};

}  // namespace graft
