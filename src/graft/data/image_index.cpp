#include "graft/data/image_index.h"

#include <algorithm>

#include "graft/core/error.h"
#include "graft/image/decode.h"

namespace graft {

namespace fs = std::filesystem;

ImageIndex::ImageIndex(const fs::path& folder, const fs::path& data, Message message) : message_(std::move(message)) {
  now_.about = {decoder_version(), fs::weakly_canonical(data).string(), {}};
  if (folder.empty()) return;
  file_ = folder / (sha256(now_.about.data) + ".index");
  if (fs::exists(file_)) read();
}

void ImageIndex::read() {
  try {
    ImageFindings found = ImageFindings::read(file_);
    if (found.about.decoder != now_.about.decoder) return;
    before_ = std::move(found);
    seen_.resize(before_.images.size());
  } catch (const Error& error) {
    if (message_) message_(std::string(error.what()) + "; every image is examined anew");
  }
}

const FoundImage* ImageIndex::unchanged_image(const Digest& path, const FileStamp& stamp) const {
  const auto found = std::ranges::lower_bound(before_.images, path, {}, &FoundImage::path);
  return found != before_.images.end() && found->path == path && found->stamp == stamp ? &*found : nullptr;
}

void ImageIndex::expect(std::size_t images) {
  if (images > before_.images.size()) now_.images.reserve(images - before_.images.size());
}

Examined ImageIndex::examine(const fs::path& image) {
  if (file_.empty()) return examine_file(image);
  const auto opened = std::chrono::system_clock::now();
  const auto stamp = FileStamp::of(image);
  const Digest path = Sha256().update(fs::absolute(image).string()).digest();
  const FoundImage* known = stamp ? unchanged_image(path, *stamp) : nullptr;
  const auto problem = before_.about.problems.find(path);
  const std::string known_problem = known && problem != before_.about.problems.end() ? problem->second : "";
  Examined examined = known ? Examined{known->hash, known_problem} : examine_file(image);
  // What cannot be read today may be readable tomorrow, as the same file.
  const bool worth_keeping = stamp && stamp->settled(opened) && examined.hash;
  const std::lock_guard lock(mutex_);
  unchanged_ += known ? 1 : 0;
  if (!worth_keeping) return examined;
  if (known)
    seen_[static_cast<std::size_t>(known - before_.images.data())] = true;
  else
    now_.images.push_back({path, *stamp, *examined.hash});
  if (!examined.problem.empty()) now_.about.problems[path] = examined.problem;
  return examined;
}

std::vector<const FoundImage*> ImageIndex::all() const {
  std::vector<const FoundImage*> images;
  images.reserve(before_.images.size() + now_.images.size());
  for (std::size_t i = 0; i < seen_.size(); ++i)
    if (seen_[i]) images.push_back(&before_.images[i]);
  for (const auto& image : now_.images) images.push_back(&image);
  const auto path = [](const FoundImage* image) { return image->path; };
  std::ranges::sort(images, {}, path);
  const auto copies = std::ranges::unique(images, {}, path);
  images.erase(copies.begin(), copies.end());
  return images;
}

void ImageIndex::save() {
  if (file_.empty()) return;
  try {
    const auto images = all();
    if (images.empty()) return;
    if (now_.images.empty() && images.size() == before_.images.size()) {
      fs::last_write_time(file_, fs::file_time_type::clock::now());
      return;
    }
    fs::create_directories(file_.parent_path());
    ImageFindings::write(file_, now_.about, images);
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
      const ImageFindings found = ImageFindings::read(entry.path());
      index.data = found.about.data;
      index.images = found.images.size();
    } catch (const Error&) {  // listed as it is, so that it can be cleared
    }
    indexes.push_back(std::move(index));
  }
  std::ranges::sort(indexes, {}, &StoredIndex::last_used);
  return indexes;
}

}  // namespace graft
