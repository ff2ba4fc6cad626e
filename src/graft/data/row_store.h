#pragma once
#include <ATen/core/Tensor.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "graft/core/hash.h"
#include "graft/core/json.h"

namespace graft {

/// Shape and type of a row.
struct RowForm {
  std::vector<std::int64_t> sizes;
  at::ScalarType type = at::kFloat;

  std::size_t bytes() const;
  /// A tensor for [n, …] rows, not filled.
  at::Tensor empty_rows(std::size_t count) const;
};

/// Rows of one shape and type that stay on disk between runs, each under the name of what it was computed from. Several
/// processes may read and add at the same time; a row that was damaged on disk, or whose writer was killed, is not
/// there. A folder of three files: `rows` (one after the other), `entries` (a line a row: SHA-256 of the name,
/// the first half of that of the row) and `about.json`.
class RowStore {
 public:
  /// Opens the folder, or makes it. `about` tells a person what the rows are.
  /// @throws Error when the folder cannot be made or written.
  RowStore(const std::filesystem::path& folder, RowForm form, const Json& about);
  ~RowStore();
  RowStore(const RowStore&) = delete;
  RowStore& operator=(const RowStore&) = delete;

  /// Copies the row into `row`, which has the form and is contiguous. False when it is not there.
  bool find(const std::string& name, at::Tensor row) const;
  /// Whether a row was added under the name; a damaged one counts.
  bool has(const std::string& name) const;
  /// Adds rows [n, …], contiguous, in the order of their names. Of two rows of one name the later counts.
  /// @throws Error when the disk is full.
  void add(const std::vector<std::string>& names, const at::Tensor& rows);

 private:
  class File;
  using Checksum = std::array<std::uint8_t, 16>;
  struct Entry {
    Digest name;
    Checksum checksum;

    std::string line() const;
    /// Nothing where the line is damaged.
    static std::optional<Entry> parse(std::string_view line);
  };
  struct Place {
    std::size_t index;
    Checksum checksum;
  };
  static Checksum checksum_of(const at::Tensor& row);

  void read_entries();
  std::optional<Place> place_of(const Digest& name) const;

  RowForm form_;
  std::unique_ptr<File> entries_, rows_, in_use_;
  // Of entries, by the first bits of their names. The rest stays on disk: there may be millions.
  std::unordered_multimap<std::uint64_t, std::size_t> indices_;
};

/// A RowStore on disk.
struct StoredRows {
  std::filesystem::path folder;
  Json about;
  std::uintmax_t bytes = 0;
  std::chrono::system_clock::time_point last_used;
};

/// The stores in a folder, the one used longest ago first.
std::vector<StoredRows> list_row_stores(const std::filesystem::path& folder);
/// Removes a store that nobody has open. False when somebody has.
bool remove_row_store(const std::filesystem::path& folder);
/// Bytes that stores may take: half of the room that there is without any.
std::uintmax_t room_for_row_stores(const std::filesystem::path& folder);
/// Whether stores that will take `bytes` in all fit into that room. Removes others, used longest ago, until they do.
/// @param stores  their folders; some may be there already
bool make_room(const std::filesystem::path& folder, std::uintmax_t bytes,
               const std::set<std::filesystem::path>& stores = {});

}  // namespace graft
