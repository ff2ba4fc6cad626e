#include "graft/data/image_index.h"

#include <sys/stat.h>

#include <algorithm>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/hash.h"
#include "graft/core/json.h"
#include "graft/image/decode.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kSettling{2};
constexpr std::size_t kDigest = 64;

std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

/// "SHA-256 of the rest", a line end, and the rest.
std::string sealed(const std::string& text) { return sha256(text) + "\n" + text; }

/// @throws Error when the file is not as it was written
Json unsealed(const fs::path& file) {
  const std::string text = read_file(file);
  const std::string subject = "image index '" + file.string() + "'";
  if (text.size() <= kDigest || sealed(text.substr(kDigest + 1)) != text)
    throw Error({subject, "is damaged", "the file that was written", ""});
  return parse_json(text.substr(kDigest + 1), subject);
}

/// As text that JSON can hold: a path of other bytes is not found again, which costs time alone.
std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::optional<FileStamp> FileStamp::of(const fs::path& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return std::nullopt;
  return FileStamp{facts.st_size, nanoseconds(facts.st_mtim), nanoseconds(facts.st_ctim), facts.st_ino};
}

bool FileStamp::settled(std::chrono::system_clock::time_point now) const {
  const std::chrono::nanoseconds latest{std::max(modified, changed)};
  return latest + kSettling < now.time_since_epoch();
}

ImageIndex::ImageIndex(const fs::path& folder, const fs::path& data, Message message)
    : data_(fs::weakly_canonical(data).string()), message_(std::move(message)) {
  if (folder.empty()) return;
  file_ = folder / (sha256(data_) + ".json");
  if (fs::exists(file_)) read();
}

void ImageIndex::read() {
  try {
    const Json json = unsealed(file_);
    if (json.at("decoder") != decoder_version()) return;
    const auto number = [](const Json& value) { return value.get<std::int64_t>(); };
    const auto text = [](const Json& value) { return value.get<std::string>(); };
    for (const auto& row : json.at("images"))
      before_[text(row.at(0))] = {
          {number(row.at(1)), number(row.at(2)), number(row.at(3)), row.at(4).get<std::uint64_t>()},
          text(row.at(5)),
          text(row.at(6))};
  } catch (const Error& error) {
    if (message_) message_(std::string(error.what()) + "; every image is examined anew");
  }
}

Examined ImageIndex::examine(const fs::path& image) {
  if (file_.empty()) return examine_file(image);
  const auto opened = std::chrono::system_clock::now();
  const auto stamp = FileStamp::of(image);
  const std::string path = fs::absolute(image).string();
  const auto known = before_.find(path);
  const bool unchanged = stamp && known != before_.end() && known->second.stamp == *stamp;
  Examined examined = unchanged ? Examined{known->second.hash, known->second.problem} : examine_file(image);
  // What cannot be read today may be readable tomorrow, as the same file.
  const bool worth_keeping = stamp && stamp->settled(opened) && !examined.hash.empty();
  const std::lock_guard lock(mutex_);
  unchanged_ += unchanged ? 1 : 0;
  if (worth_keeping) now_[path] = {*stamp, examined.hash, examined.problem};
  return examined;
}

void ImageIndex::save() {
  const auto same = [](const auto& one, const auto& other) {
    return one.first == other.first && one.second.stamp == other.second.stamp;
  };
  if (file_.empty() || now_.empty()) return;
  try {
    if (std::ranges::equal(before_, now_, same)) {
      fs::last_write_time(file_, fs::file_time_type::clock::now());
      return;
    }
    Json images = Json::array();
    for (const auto& [path, entry] : now_) {
      const auto& [bytes, modified, changed, inode] = entry.stamp;
      images.push_back({path, bytes, modified, changed, inode, entry.hash, entry.problem});
    }
    fs::create_directories(file_.parent_path());
    replace_file(file_, sealed(dumped({{"decoder", decoder_version()}, {"data", data_}, {"images", images}})));
  } catch (const std::exception& error) {
    if (message_) message_(std::string(error.what()) + "; the next run examines every image again");
  }
}

std::vector<StoredIndex> list_image_indexes(const fs::path& folder) {
  std::vector<StoredIndex> indexes;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (!entry.is_regular_file()) continue;
    StoredIndex index{entry.path(), "", 0, entry.file_size(),
                      std::chrono::file_clock::to_sys(fs::last_write_time(entry.path()))};
    try {
      const Json json = unsealed(entry.path());
      index.data = json.at("data").get<std::string>();
      index.images = json.at("images").size();
    } catch (const Error&) {  // listed as it is, so that it can be cleared
    }
    indexes.push_back(std::move(index));
  }
  std::ranges::sort(indexes, {}, &StoredIndex::last_used);
  return indexes;
}

}  // namespace graft
