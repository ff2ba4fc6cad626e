#include "train_console.h"
#include "format.h"

namespace graft::cli {

void TrainConsole::on_message(const std::string& text) {
  progress_.clear();
  if (!quiet_) fmt::print(out_, "{}\n", text);
  std::fflush(out_);
}

void TrainConsole::on_skipped_image(const SkippedImage& image) {
  progress_.clear();
  fmt::print(stderr, "left out: {}: {}\n", image.path.string(), image.reason);
}

void TrainConsole::on_phase(const PhaseRecord& phase) {
  on_message(fmt::format("phase {}/{} '{}': {} epochs, {} parameters train, {} frozen, boundary at {}; {}",
                         phase.phase + 1, phase.phases, phase.name, phase.epochs, short_count(phase.trained_parameters),
                         short_count(phase.frozen_parameters), phase.boundary, phase.plan));
}

void TrainConsole::on_frozen_progress(std::size_t done, std::size_t total) {
  if (!quiet_) progress_.show("frozen layers", done, total);
}

void TrainConsole::on_step(std::int64_t step, std::int64_t steps) {
  if (!quiet_) progress_.show("step", static_cast<std::size_t>(step), static_cast<std::size_t>(steps));
}

void TrainConsole::on_epoch(const EpochRecord& epoch) {
  on_message(fmt::format("  epoch {:>3}/{}  loss {:.4f}  val loss {:.4f}  accuracy {:.2f} %{}", epoch.epoch + 1,
                         epoch.epochs, epoch.train_loss, epoch.validation.loss, 100 * epoch.validation.accuracy,
                         epoch.best ? "  best" : ""));
}

}  // namespace graft::cli
