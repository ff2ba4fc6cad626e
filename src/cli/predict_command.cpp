
#include <algorithm>
#include <iostream>
#include <limits>
#include <span>

#include "command.h"
#include "console.h"
#include "format.h"
#include "graft/artifact/metadata.h"
#include "graft/artifact/predictor.h"
#include "graft/core/names.h"
#include "graft/core/parallel.h"
#include "graft/core/runtime.h"
#include "graft/train/evaluate.h"
#include "graft/train/fast_predictor.h"
#include "trust_flag.h"
#include "views_flag.h"

namespace graft::cli {
namespace {

namespace fs = std::filesystem;

struct PredictOptions {
  std::string model, device = "cpu", views = "none";
  Trust trust = Trust::kScan;
  std::vector<std::string> paths;
  std::size_t top = 0;    // 0: not given
  double threshold = -1;  // below 0: not given
  bool csv = false;

  /// One class; with a threshold alone all that reach it.
  std::size_t shown() const { return top > 0 ? top : threshold < 0 ? 1 : std::numeric_limits<std::size_t>::max(); }
};

struct Answer {
  fs::path path;
  std::vector<ClassProbability> top;
  std::vector<OutputValue> values;
  std::string error;
};

void add_folder(const fs::path& folder, std::vector<fs::path>& images) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && !entry.path().filename().string().starts_with('.')) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  images.insert(images.end(), found.begin(), found.end());
}

std::vector<fs::path> images_of(const std::vector<std::string>& paths) {
  std::vector<fs::path> images;
  for (const auto& path : paths) {
    if (path == "-")
      for (std::string line; std::getline(std::cin, line);) images.emplace_back(line);
    else if (fs::is_directory(path))
      add_folder(path, images);
    else
      images.emplace_back(path);
  }
  return images;
}

/// In one forward.
std::vector<Answer> predict_some(const Predictor& predictor, std::span<const fs::path> images,
                                 const PredictOptions& options) {
  std::vector<Answer> answers;
  std::vector<at::Tensor> fitted;
  std::vector<std::size_t> readable;
  for (const auto& image : images) {
    answers.push_back({image, {}, {}, ""});
    try {
      fitted.push_back(predictor.fitted(image));
      readable.push_back(answers.size() - 1);
    } catch (const Error& error) {
      answers.back().error = error.problems().front().found;
    }
  }
  const auto predictions = predictor.predict_fitted(fitted);
  for (std::size_t i = 0; i < readable.size(); ++i) {
    Answer& answer = answers[readable[i]];
    answer.top = predictions[i].top(options.shown());
    std::erase_if(answer.top, [&](const auto& scored) { return scored.probability < options.threshold; });
    answer.values = predictions[i].values();
  }
  return answers;
}

void print_line(const Answer& answer, bool csv) {
  if (csv) {
    for (const auto& scored : answer.top)
      fmt::print("{},{},{:.6f}\n", csv_cell(answer.path.string()), csv_cell(scored.label), scored.probability);
    for (const auto& [name, value] : answer.values)
      fmt::print("{},{},{:.9g}\n", csv_cell(answer.path.string()), name, value);
    return;
  }
  std::string line = answer.path.string();
  for (const auto& scored : answer.top) line += fmt::format("  {} {:.1f} %", scored.label, 100 * scored.probability);
  for (const auto& [name, value] : answer.values) line += fmt::format("  {} {:.6g}", name, value);
  const bool nothing = answer.top.empty() && answer.values.empty();
  fmt::print("{}{}\n", line, nothing ? "  (nothing above the threshold)" : "");
}

Json answer_json(const Answer& answer) {
  Json json{{"path", answer.path.string()}};
  if (!answer.error.empty()) {
    json["error"] = answer.error;
    return json;
  }
  if (!answer.values.empty()) {
    for (const auto& [name, value] : answer.values) json["values"][name] = value;
    return json;
  }
  json["top"] = Json::array();
  for (const auto& scored : answer.top)
    json["top"].push_back({{"class", scored.label}, {"index", scored.index}, {"probability", scored.probability}});
  return json;
}

/// On one thread: the photos' workers need no team, and one that has nothing to do still spins.
Predictor load_predictor(const PredictOptions& options, const std::vector<fs::path>& images) {
  const OneThreadScope one_thread;
  const auto predictor = Predictor::load(options.model, options.device, options.trust, images.size());
  return fast_predictor(predictor, options.model, options.trust, images, print_note).averaging(options.views);
}

int run_predict(const PredictOptions& options, bool json) {
  set_thread_count(0);
  const auto images = images_of(options.paths);
  if (images.empty()) throw Error({"PATH", "names no image", "files, folders, or - for paths on standard input", ""});
  const Predictor predictor = load_predictor(options, images);
  const bool values = predictor.metadata().gives_values();
  if (values && (options.top > 0 || options.threshold >= 0))
    throw Error(
        {options.top > 0 ? "--top" : "--threshold", "is given", "neither beside a model that gives values", ""});
  if (options.csv) fmt::print("path,{}\n", values ? "name,value" : "class,probability");
  Json answers = Json::array();
  bool failed = false;
  const auto take = [&](const Answer& answer) {
    if (!answer.error.empty()) fmt::print(stderr, "error: image '{}': {}\n", answer.path.string(), answer.error);
    failed = failed || !answer.error.empty();
    if (json)
      answers.push_back(answer_json(answer));
    else if (answer.error.empty())
      print_line(answer, options.csv);
  };
  const Shares shares = shares_of(predictor, images.size(), thread_count());
  const int workers = std::min(thread_count(), static_cast<int>(shares.count()));
  OrderedParallel<std::vector<Answer>>::run(
      shares.count(), workers,
      [&](std::size_t i) {
        const std::span some(images.begin() + static_cast<std::ptrdiff_t>(shares.begin(i)),
                             images.begin() + static_cast<std::ptrdiff_t>(shares.end(i)));
        return predict_some(predictor, some, options);
      },
      [&](std::size_t, const std::vector<Answer>& some) { std::ranges::for_each(some, take); });
  if (json) print_json(answers);
  return failed ? 1 : 0;
}

}  // namespace

void add_predict(CLI::App& program, Outcome& outcome) {
  auto* command = program.add_subcommand("predict", "Classify photos with an exported model");
  auto options = std::make_shared<PredictOptions>();
  command->add_option("MODEL", options->model, "model.pt of graft train")->required();
  command->add_option("PATH", options->paths, "image files, folders, or - for paths on standard input")->required();
  command->add_option("--top", options->top, "how many classes to name, likeliest first (default 1)")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--threshold", options->threshold,
                   "name all classes at least as probable as this; with --top at most so many")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--device", options->device, "auto, cpu, cuda or cuda:N");
  add_views_flag(*command, options->views);
  add_trust_flag(*command, options->trust);
  auto* csv = command->add_flag("--csv", options->csv, "one line a class: path,class,probability (or path,name,value)");
  command->add_flag("--json", outcome.json, "print the answers as JSON")->excludes(csv);
  command->footer("example: graft predict runs/mine/model.pt holiday.jpg --top 3");
  command->callback([options, &outcome] { outcome.exit_code = run_predict(*options, outcome.json); });
}

}  // namespace graft::cli
