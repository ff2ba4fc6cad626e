#include "graft/train/run_folder.h"

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/names.h"

namespace graft {

void RunFolder::create() const {
  const std::string subject = "run folder '" + path_.string() + "'";
  for (const auto& file : {recipe(), checkpoint(), model()})
    if (std::filesystem::exists(file))
      throw Error({subject, "holds a run already (" + file.filename().string() + ")", "a new folder",
                   "choose another with --out, or go on with this one: graft train --resume " + path_.string()});
  std::error_code failure;
  std::filesystem::create_directories(path_, failure);
  if (failure) throw Error({subject, "cannot be made (" + failure.message() + ")", "a writable place", ""});
}

void RunFolder::abandon() const {
  std::error_code ignored;  // the failure that led here is the one to report
  for (const auto& file : {recipe(), split(), checkpoint(), history(), path_}) std::filesystem::remove(file, ignored);
}

std::filesystem::path RunFolder::next(const std::string& name) {
  for (int i = 1;; ++i) {
    const std::filesystem::path path = std::filesystem::path("runs") / (name + "-" + std::to_string(i));
    if (!std::filesystem::exists(path)) return path;
  }
}

void RunFolder::write_recipe(const Json& json) const { replace_file(recipe(), json.dump(2) + "\n"); }

void RunFolder::write_split(const Dataset& dataset) const {
  const auto base = std::filesystem::absolute(path_);
  std::string text = "path,label,split,sha256\n";
  for (const auto& sample : dataset.samples)
    text += csv_cell(std::filesystem::absolute(sample.path).lexically_proximate(base).generic_string()) + "," +
            csv_cell(dataset.classes[static_cast<std::size_t>(sample.label)]) + "," + to_string(*sample.split) + "," +
            sample.hash + "\n";
  replace_file(split(), text);
}

void RunFolder::write_history(const Json& records) const {
  std::string text;
  for (const auto& record : records) text += record.dump() + "\n";
  replace_file(history(), text);
}

}  // namespace graft
