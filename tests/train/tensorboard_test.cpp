#include "graft/train/tensorboard.h"

#include <gmock/gmock.h>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/train/run_folder.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

/// Why a file of events cannot be written.
std::string failure_of(const std::filesystem::path& path) {
  TensorBoardEvents events(path);
  try {
    events.write({{"step", 1}, {"lr", {{"head", 0.1}}}, {"train_loss", 1.5}, {"val_loss", 2.5}});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(TensorBoardEvents, SayWhyTheyCannotBeWritten) {
  test::TemporaryFolder folder;
  EXPECT_THAT(failure_of("/dev/full"), testing::HasSubstr("'/dev/full': cannot be written (No space left on device)"));
  EXPECT_THAT(failure_of(folder / "absent/events"), testing::HasSubstr("absent/events': cannot be written (No such"));
  EXPECT_EQ(failure_of(folder / "events"), "");
}

TEST(TensorBoardEvents, OfALaterProcessSortBehindThoseThatAreThere) {
  test::TemporaryFolder folder;
  const RunFolder run(folder.path());
  const auto first = run.new_events();
  EXPECT_EQ(run.new_events().parent_path(), folder.path());
  replace_file(first, "");
  EXPECT_GT(run.new_events(), first);
  replace_file(folder / "events.out.tfevents.4000000000.graft", "");  // by a clock that was ahead
  EXPECT_EQ(run.new_events().filename(), "events.out.tfevents.4000000001.graft");
}

}  // namespace
}  // namespace graft
