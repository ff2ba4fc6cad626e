#include "graft/train/best_epochs.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "support/temporary_folder.h"

namespace graft {
namespace {

using Tensors = BestEpochs::Tensors;

class BestEpochsTest : public testing::Test {
 protected:
  void end_epoch(float weight, double accuracy) {
    best_.offer(Tensors{{"head.weight", at::full({1}, weight)}}, "accuracy", accuracy, progress_);
    progress_.start_epoch(progress_.epoch + 1);
  }

  float best_of(const Progress& progress) const {
    StoredRun run;
    run.progress = progress;
    return best_tensors(folder_, run).at("head.weight").item<float>();
  }

  /// As the process does that goes on with the run.
  void resume(const Progress& progress) const {
    StoredRun run;
    run.progress = progress;
    BestEpochs().restore(folder_, run);
  }

  test::TemporaryFolder files_;
  RunFolder folder_{files_ / "run"};
  Progress progress_;
  BestEpochs best_;
};

TEST_F(BestEpochsTest, AreFoundWheneverARunIsKilled) {
  std::filesystem::create_directories(folder_.best_checkpoint().parent_path());
  end_epoch(1, 0.9);
  end_epoch(2, 0.5);
  best_.save_before_last(folder_, progress_);
  EXPECT_EQ(best_of(progress_), 1);
  best_.save_behind_last(folder_);
  EXPECT_EQ(best_of(progress_), 1);
  const Progress in_last = progress_;
  end_epoch(3, 0.95);
  end_epoch(4, 0.1);
  best_.save_before_last(folder_, progress_);
  EXPECT_EQ(best_of(in_last), 1);
  EXPECT_EQ(best_of(progress_), 3);
  resume(in_last);
  EXPECT_FALSE(std::filesystem::exists(folder_.next_best_checkpoint()));
  EXPECT_EQ(best_of(in_last), 1);
  best_.save_before_last(folder_, progress_);
  resume(progress_);
  EXPECT_EQ(best_of(progress_), 3);
  best_.save_before_last(folder_, progress_);
  best_.save_behind_last(folder_);
  EXPECT_EQ(best_of(progress_), 3);
  EXPECT_FALSE(std::filesystem::exists(folder_.next_best_checkpoint()));
}

}  // namespace
}  // namespace graft
