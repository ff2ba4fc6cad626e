#include "graft/data/dataset.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

const fs::path kPhotos = fs::path(GRAFT_SOURCE_DIR) / "tests/data/photos";

std::string reason(const fs::path& data, const DatasetOptions& options = {}) {
  try {
    load_dataset(data, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "loaded";
}

std::vector<Sample> made_up_samples(int count, int label) {
  std::vector<Sample> samples;
  for (int i = 0; i < count; ++i)
    samples.push_back({.path = std::to_string(i),
                       .label = label,
                       .split = {},
                       .weight = 1,
                       .group = "",
                       .hash = "h" + std::to_string(1000 + (i * 7919) % count)});
  return samples;
}

int validation_count(const std::vector<Sample>& samples) {
  return static_cast<int>(
      std::count_if(samples.begin(), samples.end(), [](const Sample& sample) { return sample.split == Split::kVal; }));
}

TEST(LoadDataset, ReadsClassFoldersInOrderOfName) {
  const Dataset dataset = load_dataset(kPhotos, {.workers = 2});
  EXPECT_THAT(dataset.classes, ElementsAre("glass", "paper"));
  EXPECT_EQ(dataset.samples.size(), 24U);
  EXPECT_EQ(dataset.of(Split::kVal).size(), 4U);  // round(0.2 * 12) of each class
  EXPECT_EQ(dataset.name, "photos");
}

TEST(LoadDataset, ReadsTrainAndValFolders) {
  test::TemporaryFolder folder;
  for (const char* split : {"train", "val"}) fs::create_directories(folder / split);
  fs::copy(kPhotos, folder / "train", fs::copy_options::recursive);
  fs::copy(kPhotos / "paper", folder / "val/paper", fs::copy_options::recursive);
  const Dataset dataset = load_dataset(folder.path(), {});
  EXPECT_EQ(dataset.of(Split::kTrain).size(), 24U);
  EXPECT_EQ(dataset.of(Split::kVal).size(), 12U);
}

TEST(LoadDataset, LeavesOutAndNamesWhatCannotBeRead) {
  test::TemporaryFolder folder;
  fs::copy(kPhotos, folder.path(), fs::copy_options::recursive);
  replace_file(folder / "glass/broken.jpg", "no photo");
  const Dataset dataset = load_dataset(folder.path(), {});
  ASSERT_EQ(dataset.skipped.size(), 1U);
  EXPECT_EQ(dataset.skipped[0].path.filename(), "broken.jpg");
  EXPECT_EQ(dataset.samples.size(), 24U);
  EXPECT_THAT(reason(folder.path(), {.on_bad_image = OnBadImage::kFail}), HasSubstr("broken.jpg"));
}

TEST(LoadDataset, SaysWhatIsWrongWithASource) {
  test::TemporaryFolder folder;
  EXPECT_THAT(reason(folder / "absent"), HasSubstr("is not there"));
  EXPECT_THAT(reason(folder.path()), HasSubstr("no classes"));
  fs::copy(kPhotos / "glass", folder / "glass", fs::copy_options::recursive);
  EXPECT_THAT(reason(folder.path()), HasSubstr("one class 'glass'"));
  fs::create_directory(folder / "empty");
  EXPECT_THAT(reason(folder.path()), HasSubstr("class 'empty' has no readable training image"));
}

TEST(ReadManifest, TakesQuotesSplitsAndWeights) {
  test::TemporaryFolder folder;
  replace_file(folder / "m.csv",
               "path,label,split,weight\n\"a, b.jpg\",cat,val,2.5\nc.jpg,\"the \"\"dog\"\"\",train,\n");
  const Dataset dataset = read_manifest(folder / "m.csv");
  EXPECT_THAT(dataset.classes, ElementsAre("cat", "the \"dog\""));
  EXPECT_EQ(dataset.samples[0].path, folder / "a, b.jpg");
  EXPECT_EQ(dataset.samples[0].split, Split::kVal);
  EXPECT_EQ(dataset.samples[0].weight, 2.5);
  EXPECT_EQ(dataset.samples[1].weight, 1);
}

TEST(ReadManifest, NamesLineAndColumn) {
  test::TemporaryFolder folder;
  const auto reason_of = [&](const std::string& text) {
    replace_file(folder / "m.csv", text);
    return reason(folder / "m.csv");
  };
  EXPECT_THAT(reason_of("path,lable\na.jpg,cat\n"), HasSubstr("did you mean 'label'?"));
  EXPECT_THAT(reason_of("path,label\na.jpg,cat\nb.jpg\n"), HasSubstr("line 3"));
  EXPECT_THAT(reason_of("path,label,split\na.jpg,cat,tran\n"), HasSubstr("split is 'tran'"));
  EXPECT_THAT(reason_of("path,label,weight\na.jpg,cat,-1\n"), HasSubstr("weight is '-1'"));
  EXPECT_THAT(reason_of("path,label\na.jpg,cat|dog\n"), HasSubstr("several classes"));
}

TEST(SplitByHash, IsExactAndStable) {
  for (const int count : {1, 2, 5, 100}) {
    auto samples = made_up_samples(count, 0);
    split_by_hash(samples, 0.2);
    EXPECT_EQ(validation_count(samples), std::max(1, static_cast<int>(std::lround(0.2 * count)))) << count;
  }
  auto before = made_up_samples(101, 0);
  auto after = before;
  before.pop_back();
  split_by_hash(before, 0.2);
  split_by_hash(after, 0.2);
  int moved = 0;
  for (std::size_t i = 0; i < before.size(); ++i) moved += before[i].split != after[i].split;
  EXPECT_LE(moved, 1);
}

TEST(SplitByHash, AGroupNeverStraddles) {
  auto samples = made_up_samples(60, 0);
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i].group = "patient " + std::to_string(i % 10);
  split_by_hash(samples, 0.3);
  std::map<std::string, Split> side;
  for (const auto& sample : samples) EXPECT_EQ(side.emplace(sample.group, *sample.split).first->second, *sample.split);
  EXPECT_EQ(validation_count(samples), 18);
}

}  // namespace
}  // namespace graft
