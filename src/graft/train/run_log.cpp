#include "graft/train/run_log.h"

#include <cerrno>
#include <cstring>
#include <ctime>

#include "graft/core/error.h"
#include "graft/train/event_text.h"

namespace graft {
namespace {

std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

void RunLog::open(const std::filesystem::path& path) {
  path_ = path;
  file_.open(path, std::ios::binary | std::ios::app);
  flush();
}

void RunLog::flush() {
  if (path_.empty()) return;
  errno = 0;
  file_ << waiting_ << std::flush;
  waiting_.clear();
  if (!file_)
    throw Error({"'" + path_.string() + "'", std::string("cannot be written (") + std::strerror(errno) + ")",
                 "a writable folder with room", ""});
}

void RunLog::on_message(const std::string& text) {
  waiting_ += utc_time() + "  " + text + "\n";
  flush();
}

void RunLog::on_skipped_image(const SkippedImage& image) { on_message(text_of(image)); }
void RunLog::on_phase(const PhaseRecord& phase) { on_message(text_of(phase)); }
void RunLog::on_epoch(const EpochRecord& epoch) { on_message(text_of(epoch)); }

}  // namespace graft
