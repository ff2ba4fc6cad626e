#include "graft/data/dataset.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/data/labels.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
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

/// In order of the number.
Digest numbered(int number) {
  Digest digest;
  digest.bytes[0] = static_cast<std::uint8_t>(number);
  return digest;
}

std::vector<Sample> made_up_samples(int count, int label) {
  std::vector<Sample> samples;
  for (int i = 0; i < count; ++i)
    samples.push_back({.path = std::to_string(i), .label = label, .split = {}, .hash = numbered((i * 7919) % count)});
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

TEST(ReadManifest, TakesWhatATaskWants) {
  test::TemporaryFolder folder;
  const auto read = [&](const std::string& text, Task task) {
    replace_file(folder / "m.csv", "path,label\n" + text);
    return read_manifest(folder / "m.csv", task);
  };
  const Dataset several = read("a.jpg,dog|cat\nb.jpg,\nc.jpg,eel\n", Task::kMultiLabel);
  EXPECT_THAT(several.classes, ElementsAre("cat", "dog", "eel"));
  EXPECT_THAT(several.samples[0].values, ElementsAre(1, 1, 0));
  EXPECT_THAT(several.samples[1].values, ElementsAre(0, 0, 0));
  EXPECT_EQ(label_text(several, several.samples[0]), "cat|dog");
  const Dataset numbers = read("a.jpg,1.5|-2e3\nb.jpg,0|7\n", Task::kRegression);
  EXPECT_THAT(numbers.classes, ElementsAre("value_1", "value_2"));
  EXPECT_THAT(numbers.samples[0].values, ElementsAre(1.5, -2000));
  EXPECT_EQ(label_text(numbers, numbers.samples[0]), "1.5|-2000");
  EXPECT_THAT(read("a.jpg,3\nb.jpg,4\n", Task::kRegression).classes, ElementsAre("value"));
}

TEST(ReadManifest, NamesTheLineThatDoesNotFitTheTask) {
  test::TemporaryFolder folder;
  const auto reason_of = [&](const std::string& text, Task task) {
    replace_file(folder / "m.csv", "path,label\na.jpg,1\n" + text);
    return reason(folder / "m.csv", {.labels = {.task = task}});
  };
  for (const auto task : {Task::kSingleLabel, Task::kOrdinal}) {
    EXPECT_THAT(reason_of("b.jpg,2|3\n", task), AllOf(HasSubstr("line 3"), HasSubstr("set task to multi_label")));
    EXPECT_THAT(reason_of("b.jpg,\n", task), AllOf(HasSubstr("line 3"), HasSubstr("no label")));
  }
  EXPECT_THAT(reason_of("b.jpg,2||3\n", Task::kMultiLabel), HasSubstr("line 3"));
  EXPECT_THAT(reason_of("b.jpg,2|2\n", Task::kMultiLabel), HasSubstr("line 3"));
  EXPECT_THAT(reason_of("b.jpg,two\n", Task::kRegression), AllOf(HasSubstr("line 3"), HasSubstr("is no number")));
  EXPECT_THAT(reason_of("b.jpg,1e999\n", Task::kRegression), HasSubstr("is no number"));
  EXPECT_THAT(reason_of("b.jpg,2|3\n", Task::kRegression), HasSubstr("holds 2 numbers"));
  EXPECT_THAT(reason(kPhotos, {.labels = {.task = Task::kRegression}}), HasSubstr("folder of class folders"));
}

TEST(ListDataset, PutsOrdinalClassesInOrder) {
  test::TemporaryFolder folder;
  const auto listed = [&](const std::string& text, const std::vector<std::string>& order) {
    replace_file(folder / "m.csv", "path,label\n" + text);
    return list_dataset(folder / "m.csv", {.task = Task::kOrdinal, .order = order});
  };
  const Dataset numbers = listed("a.jpg,10\nb.jpg,9\nc.jpg,1.5\n", {});
  EXPECT_THAT(numbers.classes, ElementsAre("1.5", "9", "10"));
  EXPECT_EQ(numbers.samples[0].label, 2);
  const std::string words = "a.jpg,high\nb.jpg,low\nc.jpg,mid\n";
  EXPECT_THAT(listed(words, {}).classes, ElementsAre("high", "low", "mid"));
  const Dataset given = listed(words, {"low", "mid", "high"});
  EXPECT_THAT(given.classes, ElementsAre("low", "mid", "high"));
  EXPECT_EQ(given.samples[0].label, 2);
  EXPECT_THROW(listed(words, {"low", "high"}), Error);
}

TEST(SplitByHash, OfSeveralClassesGoesByTheRarestAndLeavesEachToTrain) {
  test::TemporaryFolder folder;
  std::string table = "path,label\n";
  for (int i = 0; i < 40; ++i)
    table += std::to_string(i) + ".jpg," + (i % 10 == 0 ? "rare|" : "") + (i == 7 ? "once|" : "") + "common\n";
  replace_file(folder / "m.csv", table);
  Dataset dataset = list_dataset(folder / "m.csv", {.task = Task::kMultiLabel});
  for (std::size_t i = 0; i < dataset.samples.size(); ++i)
    dataset.samples[i].hash = numbered(static_cast<int>((i * 7919) % 40));
  split_by_hash(dataset.samples, 0.25, dataset.task);
  EXPECT_THAT(dataset.classes, ElementsAre("common", "once", "rare"));
  EXPECT_THAT(dataset.class_counts(Split::kVal), ElementsAre(10, 0, 1));
  EXPECT_THAT(dataset.class_counts(Split::kTrain), ElementsAre(30, 1, 3));
}

TEST(LoadDataset, SaysWhereNothingValidates) {
  test::TemporaryFolder folder;
  std::string table = "path,label\n";
  for (const char* label : {"a", "b"})
    table += (kPhotos / "glass" / fs::directory_iterator(kPhotos / "glass")->path().filename()).string() + "," + label +
             "\n";
  replace_file(folder / "m.csv", table);
  EXPECT_THAT(reason(folder / "m.csv", {.labels = {.task = Task::kMultiLabel}}), HasSubstr("for validation"));
}

TEST(LoadDataset, WhatATableGivesNoSplitTrains) {
  test::TemporaryFolder folder;
  std::string table = "path,label,split\n";
  for (const char* name : {"glass", "paper"}) {
    int i = 0;
    for (const auto& entry : fs::directory_iterator(kPhotos / name))
      table += entry.path().string() + "," + name + (i++ == 0 ? ",val\n" : ",\n");
  }
  replace_file(folder / "m.csv", table);
  const Dataset dataset = load_dataset(folder / "m.csv", {});
  EXPECT_EQ(dataset.of(Split::kTrain).size(), 22U);
  EXPECT_EQ(dataset.of(Split::kVal).size(), 2U);
}

TEST(LoadDataset, FoldersAreClassesOfMoreThanOneTask) {
  const Dataset several = load_dataset(kPhotos, {.labels = {.task = Task::kMultiLabel}});
  EXPECT_THAT(several.samples.front().values, ElementsAre(1, 0));
  EXPECT_EQ(several.of(Split::kVal).size(), 4U);
  const Dataset ordered = load_dataset(kPhotos, {.labels = {.task = Task::kOrdinal, .order = {"paper", "glass"}}});
  EXPECT_EQ(ordered.samples.front().label, 1);
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
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i].group = static_cast<std::int32_t>(i % 10);
  split_by_hash(samples, 0.3);
  std::map<std::int32_t, Split> side;
  for (const auto& sample : samples) EXPECT_EQ(side.emplace(*sample.group, *sample.split).first->second, *sample.split);
  EXPECT_EQ(validation_count(samples), 18);
}

}  // namespace
}  // namespace graft
