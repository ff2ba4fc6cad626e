#pragma once
#include <filesystem>
#include <fstream>
#include <string>

#include "graft/train/observer.h"

namespace graft {

/// Writes what a run says into a file, a line each behind the time (UTC). Lines that come before `open` are kept until
/// then: a run's folder is made once it is known that the run can start.
class RunLog : public Observer {
 public:
  /// Goes on at the end of a file that is there. @throws Error when it cannot be written.
  void open(const std::filesystem::path& path);

  void on_message(const std::string& text) override;
  void on_skipped_image(const SkippedImage& image) override;
  void on_phase(const PhaseRecord& phase) override;
  void on_epoch(const EpochRecord& epoch) override;

 private:
  void flush();

  std::filesystem::path path_;
  std::ofstream file_;
  std::string waiting_;
};

}  // namespace graft
