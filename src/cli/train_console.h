#pragma once
#include <cstdio>

#include "console.h"
#include "graft/train/observer.h"

namespace graft::cli {

/// Says what a run does: a line a phase and an epoch, a progress line on terminals.
class TrainConsole : public Observer {
 public:
  /// @param out  where lines go; standard error when standard output is for JSON
  TrainConsole(std::FILE* out, bool quiet) : out_(out), quiet_(quiet) {}

  void on_message(const std::string& text) override;
  void on_skipped_image(const SkippedImage& image) override;
  void on_phase(const PhaseRecord& phase) override;
  void on_frozen_progress(std::size_t done, std::size_t total) override;
  void on_teacher_progress(std::size_t done, std::size_t total) override;
  void on_step(std::int64_t step, std::int64_t steps) override;
  void on_epoch(const EpochRecord& epoch) override;

 private:
  std::FILE* out_;
  bool quiet_;
  ProgressLine progress_;
};

/// A line a split of what was measured on an exported file.
void print_figures(std::FILE* out, const Json& by_split);

}  // namespace graft::cli
