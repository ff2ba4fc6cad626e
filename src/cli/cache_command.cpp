#include "command.h"
#include "console.h"
#include "format.h"
#include "graft/data/image_index.h"
#include "graft/data/row_store.h"
#include "home.h"

namespace graft::cli {
namespace {

/// What runs have left for later ones.
struct Kept {
  std::vector<StoredRows> rows = list_row_stores(activation_stores());
  std::vector<StoredIndex> indexes = list_image_indexes(image_indexes());
};

std::string day_of(std::chrono::system_clock::time_point time) {
  const std::chrono::year_month_day day = std::chrono::floor<std::chrono::days>(time);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                     static_cast<unsigned>(day.day()));
}

std::string megabytes(std::uintmax_t bytes) { return fmt::format("{:.1f}", static_cast<double>(bytes) / 1e6); }

Json to_json(const StoredRows& store) {
  Json json{{"folder", store.folder.string()}, {"bytes", store.bytes}, {"last_used", day_of(store.last_used)}};
  json.update(store.about);
  return json;
}

Json to_json(const StoredIndex& index) {
  return {{"file", index.file.string()},
          {"bytes", index.bytes},
          {"last_used", day_of(index.last_used)},
          {"data", index.data},
          {"images", index.images}};
}

template <typename Stored>
Json list_json(const std::vector<Stored>& stored) {
  Json list = Json::array();
  for (const auto& one : stored) list.push_back(to_json(one));
  return list;
}

void print_rows(const std::vector<StoredRows>& stores) {
  std::vector<std::vector<std::string>> rows{{"activations of", "up to", "pixels", "MB", "last used (UTC)"}};
  for (const auto& store : stores)
    rows.push_back({store.about.at("backbone").get<std::string>(), store.about.at("boundary").get<std::string>(),
                    std::to_string(store.about.at("input_size").get<int>()), megabytes(store.bytes),
                    day_of(store.last_used)});
  if (!stores.empty()) fmt::print("{}", format_table(rows));
}

void print_indexes(const std::vector<StoredIndex>& indexes) {
  std::vector<std::vector<std::string>> rows{{"index of", "images", "MB", "last used (UTC)"}};
  for (const auto& index : indexes)
    rows.push_back({index.data.empty() ? "(damaged)" : index.data, std::to_string(index.images), megabytes(index.bytes),
                    day_of(index.last_used)});
  if (!indexes.empty()) fmt::print("{}", format_table(rows));
}

void list(const Kept& kept, bool json) {
  if (json) return print_json({{"activations", list_json(kept.rows)}, {"images", list_json(kept.indexes)}});
  if (kept.rows.empty() && kept.indexes.empty()) fmt::print("nothing is kept in {}\n", cache_folder().string());
  print_rows(kept.rows);
  print_indexes(kept.indexes);
}

void clear(const Kept& kept, bool json) {
  std::uintmax_t bytes = 0;
  Json in_use = Json::array();
  for (const auto& store : kept.rows) {
    if (remove_row_store(store.folder))
      bytes += store.bytes;
    else
      in_use.push_back(store.folder.string());
  }
  for (const auto& index : kept.indexes)
    if (std::filesystem::remove(index.file)) bytes += index.bytes;
  if (json) return print_json({{"freed_bytes", bytes}, {"in_use", in_use}});
  fmt::print("{} MB freed\n", megabytes(bytes));
  for (const auto& folder : in_use) fmt::print("left, a run uses it: {}\n", folder.get<std::string>());
}

}  // namespace

void add_cache(CLI::App& program, Outcome& outcome) {
  auto* command =
      program.add_subcommand("cache", "List what runs have found and computed and later ones may use, or clear it");
  auto clearing = std::make_shared<bool>(false);
  command->add_flag("--clear", *clearing, "remove all that no run is using");
  command->add_flag("--json", outcome.json, "answer as JSON");
  command->footer("example: graft cache --clear");
  command->callback([clearing, &outcome] { *clearing ? clear({}, outcome.json) : list({}, outcome.json); });
}

}  // namespace graft::cli
