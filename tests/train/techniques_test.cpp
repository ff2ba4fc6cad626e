#include <gmock/gmock.h>

#include "graft/backbone/pooling.h"
#include "graft/core/files.h"
#include "graft/core/whitening.h"
#include "graft/head/activation.h"
#include "graft/head/head_spec.h"
#include "graft/head/initialize.h"
#include "graft/image/averaged_views.h"
#include "graft/image/transform.h"
#include "graft/optim/clip.h"
#include "graft/optim/optimizer.h"
#include "graft/optim/penalty.h"
#include "graft/optim/schedule.h"
#include "graft/train/balance.h"
#include "graft/train/loss.h"
#include "graft/train/mix.h"
#include "graft/train/recipe.h"
#include "graft/train/scores.h"
#include "graft/train/task.h"

namespace graft {
namespace {

using testing::HasSubstr;

/// The part of docs/techniques.md under a heading.
std::string section(const std::string& family) {
  const std::string page = read_file(std::filesystem::path(GRAFT_SOURCE_DIR) / "docs/techniques.md");
  const auto begin = page.find("\n## " + family + "\n");
  EXPECT_NE(begin, std::string::npos) << family;
  return begin == std::string::npos ? "" : page.substr(begin, page.find("\n## ", begin + 1) - begin);
}

void expect_rows(const std::string& family, const std::vector<std::string>& names) {
  EXPECT_FALSE(names.empty());
  for (const auto& name : names) EXPECT_THAT(section(family), HasSubstr("\n| `" + name + "` |")) << family;
}

TEST(Techniques, ThePageHasARowForEveryName) {
  expect_rows("activations", activation_names());
  expect_rows("initialisations", initialization_names());
  expect_rows("input", {"mean", "std"});
  expect_rows("input", whitening_kinds());
  expect_rows("pool", pool_names());
  expect_rows("layers", head_layer_names());
  expect_rows("optimizers", optimizer_names());
  expect_rows("schedules", schedule_names());
  expect_rows("clip", clip_names());
  auto penalties = penalty_names();
  std::erase(penalties, "none");
  expect_rows("penalties", penalties);
  expect_rows("transforms", transform_names());
  expect_rows("tta", averaged_view_names());
  auto averages = average_names();
  std::erase(averages, "none");
  expect_rows("average", averages);
  expect_rows("balance", balance_names());
  expect_rows("mix", mix_names());
  expect_rows("losses", loss_names());
  expect_rows("metrics", score_names());
  expect_rows("tasks", task_names());
  expect_rows("metrics", stop_metrics());
}

}  // namespace
}  // namespace graft
