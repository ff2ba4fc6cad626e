#include <algorithm>
#include <set>

#include "graft/core/error.h"
#include "graft/data/dataset.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

std::vector<fs::path> class_folders(const fs::path& folder) {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_directory() && !is_hidden(entry.path())) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  return folders;
}

/// As std::filesystem::path has it: part by part.
bool before(const std::string& path, const std::string& other) {
  const auto rank = [](unsigned char c) { return c == '/' ? 0 : static_cast<int>(c); };
  return std::ranges::lexicographical_compare(path, other, {}, rank, rank);
}

std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> files;
  for (auto entry = fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink);
       entry != fs::recursive_directory_iterator(); ++entry) {
    if (is_hidden(entry->path()))
      entry.disable_recursion_pending();
    else if (entry->is_regular_file())
      files.push_back(entry->path().string());
  }
  std::ranges::sort(files, before);
  return files;
}

/// The folders that hold class folders, with the split that they stand for.
std::vector<std::pair<fs::path, std::optional<Split>>> split_folders(const fs::path& folder) {
  std::vector<std::pair<fs::path, std::optional<Split>>> parts;
  for (const auto& child : class_folders(folder))
    if (const auto split = parse_split(child.filename().string())) parts.emplace_back(child, split);
  const bool has_train =
      std::any_of(parts.begin(), parts.end(), [](const auto& part) { return part.second == Split::kTrain; });
  if (!has_train) return {{folder, std::nullopt}};
  return parts;
}

struct ClassFiles {
  std::int64_t label;
  std::optional<Split> split;
  std::vector<std::string> files;
};

/// One after another, in room that is taken once: a vector that grows leaves holes as large as itself behind.
std::vector<Sample> samples_of(std::vector<ClassFiles> classes) {
  std::size_t count = 0;
  for (const auto& one : classes) count += one.files.size();
  std::vector<Sample> samples;
  samples.reserve(count);
  for (auto& one : classes)
    for (auto& file : one.files) samples.push_back({.path = std::move(file), .label = one.label, .split = one.split});
  return samples;
}

}  // namespace

Dataset list_image_folder(const fs::path& folder) {
  Dataset dataset;
  try {
    const auto parts = split_folders(folder);
    std::set<std::string> names;
    for (const auto& [part, split] : parts)
      for (const auto& child : class_folders(part)) names.insert(child.filename().string());
    dataset.classes.assign(names.begin(), names.end());
    std::vector<ClassFiles> classes;
    for (const auto& [part, split] : parts)
      for (const auto& child : class_folders(part))
        classes.push_back(
            {std::distance(names.begin(), names.find(child.filename().string())), split, files_below(child)});
    dataset.samples = samples_of(std::move(classes));
  } catch (const fs::filesystem_error& error) {
    throw Error({"data '" + folder.string() + "'", "cannot be listed (" + error.code().message() + ")",
                 "a readable folder", ""});
  }
  return dataset;
}

}  // namespace graft
