#include "train_console.h"
#include "format.h"
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

void TrainConsole::on_step(std::int64_t step, std::int64_t steps) {
  if (!quiet_) progress_.show("step", static_cast<std::size_t>(step), static_cast<std::size_t>(steps));
}

void TrainConsole::on_epoch(const EpochRecord& epoch) { on_message(text_of(epoch)); }

void print_figures(std::FILE* out, const Json& by_split) {
  for (const auto& [split, metrics] : by_split.items())
    fmt::print(out,
               "{}: accuracy {:.2f} %, balanced {:.2f} %, macro F1 {:.3f}, loss {:.4f} on {} images (measured on the "
               "exported file)\n",
               split, 100 * metrics["accuracy"].get<double>(), 100 * metrics["balanced_accuracy"].get<double>(),
               metrics["macro_f1"].get<double>(), metrics["loss"].get<double>(), metrics["images"].get<std::int64_t>());
}

}  // namespace graft::cli
