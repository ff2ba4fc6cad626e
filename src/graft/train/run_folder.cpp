#include "graft/train/run_folder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <iomanip>
#include <locale>
#include <ostream>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/names.h"
#include "graft/data/labels.h"

namespace graft {
namespace {

std::string lines_of(const Json& records) {
  std::string text;
  for (const auto& record : records) text += record.dump() + "\n";
  return text;
}

}  // namespace

void RunFolder::create() const {
  const std::string subject = "run folder '" + path_.string() + "'";
  for (const auto& file : {recipe(), last_checkpoint(), model()})
    if (std::filesystem::exists(file))
      throw Error({subject, "holds a run already (" + file.lexically_relative(path_).string() + ")", "a new folder",
                   "choose another with --out, or go on with this one: graft train --resume " + path_.string()});
  std::error_code failure;
  std::filesystem::create_directories(last_checkpoint().parent_path(), failure);
  if (failure) throw Error({subject, "cannot be made (" + failure.message() + ")", "a writable place", ""});
}

void RunFolder::abandon() const {
  std::error_code ignored;  // the failure that led here is the one to report
  for (const auto& file :
       {recipe(), split(), skipped(), last_checkpoint(), last_checkpoint().parent_path(), history(), log(), path_})
    std::filesystem::remove(file, ignored);
}

std::filesystem::path RunFolder::next(const std::string& name) {
  for (int i = 1;; ++i) {
    const std::filesystem::path path = std::filesystem::path("runs") / (name + "-" + std::to_string(i));
    if (!std::filesystem::exists(path)) return path;
  }
}

std::filesystem::path RunFolder::new_events() const {
  const std::string start = "events.out.tfevents.";
  long long seconds = std::time(nullptr);
  std::error_code none_yet;
  for (const auto& file : std::filesystem::directory_iterator(path_, none_yet))
    if (const std::string name = file.path().filename().string(); name.starts_with(start))
      seconds = std::max(seconds, std::strtoll(name.c_str() + start.size(), nullptr, 10) + 1);
  return path_ / (start + std::to_string(seconds) + ".graft");
}

void RunFolder::write_recipe(const Json& json) const { replace_file(recipe(), json.dump(2) + "\n"); }

std::string RunFolder::csv_path(const std::filesystem::path& image) const {
  const auto base = std::filesystem::absolute(path_);
  return csv_cell(std::filesystem::absolute(image).lexically_proximate(base).generic_string());
}

void RunFolder::write_split(const Dataset& dataset) const {
  replace_file(split(), [&](std::ostream& file) {
    file << "path,label,split,sha256\n";
    for (const auto& sample : dataset.samples)
      file << csv_path(sample.path) << "," << csv_cell(label_text(dataset, sample)) << "," << to_string(*sample.split)
           << "," << sample.hash.hex() << "\n";
  });
}

void RunFolder::write_skipped(const Dataset& dataset) const {
  std::string text = "path,reason\n";
  for (const auto& image : dataset.skipped) text += csv_path(image.path) + "," + csv_cell(image.reason) + "\n";
  replace_file(skipped(), text);
}

void RunFolder::write_predictions(const Dataset& dataset, const at::Tensor& answers) const {
  const auto samples = dataset.of(Split::kVal);
  TORCH_CHECK(answers.dim() == 2 && answers.size(0) == static_cast<std::int64_t>(samples.size()), "answers are ",
              answers.sizes(), ", expected a row for each of ", samples.size(), " images");
  const bool numbers = dataset.task == Task::kRegression;  // which `predicted` holds already
  const at::Tensor rows = answers.to(at::kCPU, at::kFloat).contiguous();
  replace_file(predictions(), [&](std::ostream& file) {
    file.imbue(std::locale::classic());
    file << std::fixed << std::setprecision(6) << "path,label,predicted";
    for (const auto& name : dataset.classes)
      if (!numbers) file << "," << csv_cell("p_" + name);
    file << "\n";
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const at::Tensor row = rows[static_cast<std::int64_t>(i)];
      file << csv_path(samples[i].path) << "," << csv_cell(label_text(dataset, samples[i])) << ","
           << csv_cell(answer_text(dataset, row));
      for (std::int64_t c = 0; !numbers && c < row.size(0); ++c) file << "," << row.const_data_ptr<float>()[c];
      file << "\n";
    }
  });
}

void RunFolder::write_history(const Json& records) const { replace_file(history(), lines_of(records)); }
void RunFolder::show_history(const Json& records) const { publish_file(history(), lines_of(records)); }

}  // namespace graft
