#include "command.h"
#include "console.h"
#include "format.h"
#include "graft/data/row_store.h"
#include "home.h"

namespace graft::cli {
namespace {

std::string day_of(std::chrono::system_clock::time_point time) {
  const std::chrono::year_month_day day = std::chrono::floor<std::chrono::days>(time);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                     static_cast<unsigned>(day.day()));
}

Json to_json(const StoredRows& store) {
  Json json{{"folder", store.folder.string()}, {"bytes", store.bytes}, {"last_used", day_of(store.last_used)}};
  json.update(store.about);
  return json;
}

std::vector<std::string> row_of(const StoredRows& store) {
  return {store.about.at("backbone").get<std::string>(), store.about.at("boundary").get<std::string>(),
          std::to_string(store.about.at("input_size").get<int>()),
          fmt::format("{:.1f}", static_cast<double>(store.bytes) / 1e6), day_of(store.last_used)};
}

void list(const std::vector<StoredRows>& stores, bool json) {
  Json answer = Json::array();
  std::vector<std::vector<std::string>> rows{{"backbone", "up to", "pixels", "MB", "last used (UTC)"}};
  for (const auto& store : stores) {
    answer.push_back(to_json(store));
    rows.push_back(row_of(store));
  }
  if (json)
    print_json(answer);
  else if (stores.empty())
    fmt::print("nothing is kept in {}\n", activation_stores().string());
  else
    fmt::print("{}", format_table(rows));
}

void clear(const std::vector<StoredRows>& stores, bool json) {
  std::uintmax_t bytes = 0;
  Json in_use = Json::array();
  for (const auto& store : stores) {
    if (remove_row_store(store.folder))
      bytes += store.bytes;
    else
      in_use.push_back(store.folder.string());
  }
  if (json) return print_json({{"freed_bytes", bytes}, {"in_use", in_use}});
  fmt::print("{:.1f} MB freed\n", static_cast<double>(bytes) / 1e6);
  for (const auto& folder : in_use) fmt::print("left, a run uses it: {}\n", folder.get<std::string>());
}

}  // namespace

void add_cache(CLI::App& program, Outcome& outcome) {
  auto* command =
      program.add_subcommand("cache", "List what frozen layers computed and runs may use again, or clear it");
  auto clearing = std::make_shared<bool>(false);
  command->add_flag("--clear", *clearing, "remove all that no run is using");
  command->add_flag("--json", outcome.json, "answer as JSON");
  command->footer("example: graft cache --clear");
  command->callback([clearing, &outcome] {
    const auto stores = list_row_stores(activation_stores());
    *clearing ? clear(stores, outcome.json) : list(stores, outcome.json);
  });
}

}  // namespace graft::cli
