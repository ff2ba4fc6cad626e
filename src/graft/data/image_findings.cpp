#include "graft/data/image_findings.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <type_traits>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/json.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kSettling{2};
constexpr std::size_t kImage = sizeof(FoundImage), kSeal = sizeof(Digest);
static_assert(std::is_trivially_copyable_v<FoundImage> && kImage == 2 * sizeof(Digest) + 4 * sizeof(std::int64_t));

std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

template <typename Plain>
std::string_view memory_of(const Plain& plain) {
  return {reinterpret_cast<const char*>(&plain), sizeof plain};
}

/// As text that JSON can hold: other bytes are replaced.
std::string header(const ImageFindings::About& about, std::size_t images) {
  Json problems = Json::object();
  for (const auto& [path, problem] : about.problems) problems[path.hex()] = problem;
  const Json json{{"decoder", about.decoder}, {"data", about.data}, {"problems", problems}, {"images", images}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// @returns nothing where the file is damaged
std::optional<ImageFindings> read_whole(std::ifstream& file, std::size_t bytes) {
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.value("images", Json()).is_number_unsigned()) return std::nullopt;
  const auto count = json["images"].get<std::size_t>();
  if (line.size() + 1 + kSeal > bytes || count != (bytes - line.size() - 1 - kSeal) / kImage) return std::nullopt;
  ImageFindings found;
  found.images.resize(count);
  file.read(reinterpret_cast<char*>(found.images.data()), static_cast<std::streamsize>(count * kImage));
  Digest seal, computed;
  file.read(reinterpret_cast<char*>(seal.bytes.data()), kSeal);
  computed = Sha256().update(line).update("\n").update(std::as_bytes(std::span(found.images))).digest();
  if (!file || file.peek() != std::ifstream::traits_type::eof() || seal != computed) return std::nullopt;
  found.about.decoder = json.at("decoder").get<std::string>();
  found.about.data = json.at("data").get<std::string>();
  for (const auto& [path, problem] : json.at("problems").items())
    found.about.problems[Digest::parse(path).value()] = problem.get<std::string>();
  return found;
}

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

ImageFindings ImageFindings::read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  auto found = file ? read_whole(file, fs::file_size(path)) : std::nullopt;
  if (!found) throw Error({"image index '" + path.string() + "'", "is damaged", "the file that was written", ""});
  return std::move(*found);
}

void ImageFindings::write(const fs::path& path, const About& about, const std::vector<const FoundImage*>& images) {
  replace_file(path, [&](std::ostream& file) {
    Sha256 seal;
    const auto put = [&](std::string_view bytes) {
      seal.update(bytes);
      file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    };
    put(header(about, images.size()));
    for (const FoundImage* image : images) put(memory_of(*image));
    const Digest digest = seal.digest();
    file.write(memory_of(digest).data(), kSeal);
  });
}

}  // namespace graft
