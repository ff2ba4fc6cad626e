#include "graft/data/row_store.h"

#include <ATen/ATen.h>
#include <c10/util/accumulate.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/hash.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDigest = 64, kChecksum = 32;
constexpr std::size_t kEntry = kDigest + 1 + kChecksum + 1;  // "digest checksum\n"

Digest digest_of(std::string_view bytes) { return Sha256().update(bytes).digest(); }

std::string_view bytes_of(const at::Tensor& rows) {
  return {static_cast<const char*>(rows.const_data_ptr()), rows.nbytes()};
}

std::uintmax_t size_of(const std::vector<StoredRows>& stores) {
  std::uintmax_t bytes = 0;
  for (const auto& store : stores) bytes += store.bytes;
  return bytes;
}

/// Half of what is free and what all the stores in the folder take.
std::uintmax_t room_for(const fs::path& folder, const std::vector<StoredRows>& stores) {
  fs::path there = fs::absolute(folder);
  while (!fs::exists(there)) there = there.parent_path();
  return (fs::space(there).available + size_of(stores)) / 2;
}

}  // namespace

std::size_t RowForm::bytes() const {
  return static_cast<std::size_t>(c10::multiply_integers(sizes)) * c10::elementSize(type);
}

at::Tensor RowForm::empty_rows(std::size_t count) const {
  std::vector<std::int64_t> all{static_cast<std::int64_t>(count)};
  all.insert(all.end(), sizes.begin(), sizes.end());
  return at::empty(all, type);
}

/// An open file with a lock of its own.
class RowStore::File {
 public:
  explicit File(fs::path path)
      : path_(std::move(path)), handle_(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    if (handle_ < 0) fail("opened");
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { ::close(handle_); }

  void lock(int kind) const { ::flock(handle_, kind); }
  std::size_t size() const {
    struct stat facts {};
    ::fstat(handle_, &facts);
    return static_cast<std::size_t>(facts.st_size);
  }
  /// False when the file is shorter.
  bool read(void* into, std::size_t count, std::size_t offset) const {
    auto* bytes = static_cast<char*>(into);
    while (count > 0) {
      const auto done = ::pread(handle_, bytes, count, static_cast<off_t>(offset));
      if (done <= 0) return false;
      bytes += done, offset += static_cast<std::size_t>(done), count -= static_cast<std::size_t>(done);
    }
    return true;
  }
  void write(const void* from, std::size_t count, std::size_t offset) const {
    const auto* bytes = static_cast<const char*>(from);
    while (count > 0) {
      const auto done = ::pwrite(handle_, bytes, count, static_cast<off_t>(offset));
      if (done <= 0) fail("written");
      bytes += done, offset += static_cast<std::size_t>(done), count -= static_cast<std::size_t>(done);
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error({"activation cache '" + path_.string() + "'", "cannot be " + what + " (" + std::strerror(errno) + ")",
                 "a writable folder with room",
                 "graft cache --clear makes room; --set cache.activations=memory does without"});
  }

  fs::path path_;
  int handle_;
};

RowStore::RowStore(const fs::path& folder, RowForm form, const Json& about) : form_(std::move(form)) {
  std::error_code failure;
  fs::create_directories(folder, failure);  // what is wrong shows when the first file is opened
  in_use_ = std::make_unique<File>(folder / "in_use");
  in_use_->lock(LOCK_SH);
  entries_ = std::make_unique<File>(folder / "entries");
  rows_ = std::make_unique<File>(folder / "rows");
  if (!fs::exists(folder / "about.json")) replace_file(folder / "about.json", about.dump(1) + "\n");
  fs::last_write_time(folder / "in_use", fs::file_time_type::clock::now());
  read_entries();
}

RowStore::~RowStore() = default;

RowStore::Checksum RowStore::checksum_of(const at::Tensor& row) {
  const Digest digest = digest_of(bytes_of(row));
  Checksum half;
  std::ranges::copy_n(digest.bytes.begin(), half.size(), half.begin());
  return half;
}

std::string RowStore::Entry::line() const { return name.hex() + " " + to_hex(checksum) + "\n"; }

std::optional<RowStore::Entry> RowStore::Entry::parse(std::string_view line) {
  const auto name = Digest::parse(line.substr(0, kDigest));
  Checksum checksum{};
  if (!name || !from_hex(line.substr(kDigest + 1, kChecksum), checksum)) return std::nullopt;
  return Entry{*name, checksum};
}

/// A line that is damaged or cannot be read is no entry; of a checksum place_of finds that out.
void RowStore::read_entries() {
  constexpr std::size_t kAtOnce = 4096;
  const std::size_t count = entries_->size() / kEntry;
  indices_.reserve(count);
  for (std::size_t first = 0; first < count; first += kAtOnce) {
    std::string text(std::min(kAtOnce, count - first) * kEntry, '\0');
    entries_->read(text.data(), text.size(), first * kEntry);
    for (std::size_t i = 0; i * kEntry < text.size(); ++i)
      if (const auto name = Digest::parse(std::string_view(text).substr(i * kEntry, kDigest)))
        indices_.emplace(name->first_bits(), first + i);
  }
}

std::optional<RowStore::Place> RowStore::place_of(const Digest& name) const {
  std::optional<Place> latest;
  const auto [first, last] = indices_.equal_range(name.first_bits());
  for (auto at = first; at != last; ++at) {
    std::string line(kEntry, '\0');
    if (!entries_->read(line.data(), line.size(), at->second * kEntry)) continue;
    const auto entry = Entry::parse(line);
    if (entry && entry->name == name && (!latest || latest->index < at->second))
      latest = Place{at->second, entry->checksum};
  }
  return latest;
}

bool RowStore::find(const std::string& name, at::Tensor row) const {
  TORCH_CHECK(row.sizes() == form_.sizes && row.scalar_type() == form_.type && row.is_contiguous(), "not a row");
  const auto place = place_of(digest_of(name));
  return place && rows_->read(row.mutable_data_ptr(), form_.bytes(), place->index * form_.bytes()) &&
         checksum_of(row) == place->checksum;
}

bool RowStore::has(const std::string& name) const { return place_of(digest_of(name)).has_value(); }

void RowStore::add(const std::vector<std::string>& names, const at::Tensor& rows) {
  TORCH_CHECK(rows.sizes().slice(1) == form_.sizes && static_cast<std::size_t>(rows.size(0)) == names.size() &&
                  rows.scalar_type() == form_.type && rows.is_contiguous(),
              "not rows of this store");
  entries_->lock(LOCK_EX);  // a killed process lets go of it
  const std::size_t first = entries_->size() / kEntry;
  // Rows first: an entry is never there without its row.
  rows_->write(rows.const_data_ptr(), rows.nbytes(), first * form_.bytes());
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Entry entry{digest_of(names[i]), checksum_of(rows[static_cast<std::int64_t>(i)])};
    text += entry.line();
    indices_.emplace(entry.name.first_bits(), first + i);
  }
  entries_->write(text.data(), text.size(), first * kEntry);
  entries_->lock(LOCK_UN);
}

std::vector<StoredRows> list_row_stores(const fs::path& folder) {
  std::vector<StoredRows> stores;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (!fs::exists(entry.path() / "about.json")) continue;
    StoredRows store{entry.path(), read_json_file(entry.path() / "about.json"), 0, {}};
    for (const auto& file : fs::directory_iterator(entry.path())) store.bytes += file.file_size();
    store.last_used = std::chrono::file_clock::to_sys(fs::last_write_time(entry.path() / "in_use"));
    stores.push_back(std::move(store));
  }
  std::ranges::sort(stores, {}, &StoredRows::last_used);
  return stores;
}

bool remove_row_store(const fs::path& folder) {
  const int handle = ::open((folder / "in_use").c_str(), O_RDWR | O_CLOEXEC);
  const bool free = handle >= 0 && ::flock(handle, LOCK_EX | LOCK_NB) == 0;
  if (free) fs::remove_all(folder);
  if (handle >= 0) ::close(handle);
  return free;
}

std::uintmax_t room_for_row_stores(const fs::path& folder) { return room_for(folder, list_row_stores(folder)); }

bool make_room(const fs::path& folder, std::uintmax_t bytes, const std::set<fs::path>& stores) {
  fs::create_directories(folder);
  auto others = list_row_stores(folder);
  const std::uintmax_t budget = room_for(folder, others);
  std::erase_if(others, [&](const StoredRows& store) { return stores.contains(store.folder); });
  std::uintmax_t taken = size_of(others);
  for (auto store = others.begin(); store != others.end() && taken + bytes > budget; ++store)
    if (remove_row_store(store->folder)) taken -= store->bytes;
  return taken + bytes <= budget;
}

}  // namespace graft
