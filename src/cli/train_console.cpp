#include "train_console.h"
#include "format.h"
#include "graft/core/names.h"
#include "graft/train/event_text.h"

namespace graft::cli {

void TrainConsole::on_message(const std::string& text) {
  progress_.clear();
  if (!quiet_) fmt::print(out_, "{}\n", text);
  std::fflush(out_);
}

void TrainConsole::on_skipped_image(const SkippedImage& image) {
  progress_.clear();
  fmt::print(stderr, "{}\n", text_of(image));
}

void TrainConsole::on_phase(const PhaseRecord& phase) { on_message(text_of(phase)); }

void TrainConsole::on_frozen_progress(std::size_t done, std::size_t total) {
  if (!quiet_) progress_.show("frozen layers", done, total);
}

void TrainConsole::on_teacher_progress(std::size_t done, std::size_t total) {
  if (!quiet_) progress_.show("teacher", done, total);
}

void TrainConsole::on_step(std::int64_t step, std::int64_t steps) {
  if (!quiet_) progress_.show("step", static_cast<std::size_t>(step), static_cast<std::size_t>(steps));
}

void TrainConsole::on_epoch(const EpochRecord& epoch) { on_message(text_of(epoch)); }

void print_figures(std::FILE* out, const Json& by_split) {
  constexpr std::size_t kShown = 4;
  for (const auto& [split, metrics] : by_split.items()) {
    std::vector<std::string> words;
    for (const auto& [name, value] : metrics.items())
      if (value.is_number_float() && words.size() < kShown)
        words.push_back(figure_text(name, value.template get<double>()));
    fmt::print(out, "{}: {} on {} images (measured on the exported file)\n", split, join(words),
               metrics["images"].get<std::int64_t>());
  }
}

}  // namespace graft::cli
