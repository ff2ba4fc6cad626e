#include "graft/data/audit.h"

#include <gmock/gmock.h>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;

const fs::path kTestData = fs::path(GRAFT_SOURCE_DIR) / "tests/data";

std::vector<std::string> checks_of(const Audit& audit) {
  std::vector<std::string> names;
  for (const auto& finding : audit.findings) names.push_back(finding.check);
  return names;
}

TEST(Audit, FindsNothingInGoodPhotos) {
  const Audit audit = audit_data(kTestData / "photos", {.workers = 2});
  EXPECT_THAT(checks_of(audit), IsEmpty());
  EXPECT_FALSE(audit.harmful());
  EXPECT_EQ(audit.facts.size(), 24U);
  EXPECT_EQ(audit.dataset.of(Split::kVal).size(), 4U);  // as training would split
}

TEST(Audit, NamesHarmFirst) {
  test::TemporaryFolder folder;
  fs::copy(kTestData / "photos", folder.path(), fs::copy_options::recursive);
  for (const char* name : {"empty.jpg", "orientation-6.jpg", "png-named.jpg"})
    fs::copy(kTestData / "formats" / name, folder / "glass");
  fs::copy(folder / "glass/glass104.jpg", folder / "paper/same.jpg");
  const Audit audit = audit_data(folder.path(), {});
  EXPECT_THAT(checks_of(audit), testing::IsSupersetOf({"unreadable", "two_labels", "extension", "rotated", "small"}));
  EXPECT_EQ(audit.findings.front().severity, Severity::kHarm);
  EXPECT_EQ(audit.findings.back().severity, Severity::kNote);
  EXPECT_TRUE(audit.harmful());
}

TEST(Audit, CountsImagesAsItGoes) {
  std::vector<std::size_t> done;
  audit_data(kTestData / "photos", {.progress = [&](std::size_t i, std::size_t total) {
               EXPECT_EQ(total, 24U);
               done.push_back(i);
             }});
  ASSERT_EQ(done.size(), 24U);
  EXPECT_EQ(done.back(), 24U);
}

TEST(Audit, NeedsData) { EXPECT_THROW(audit_data("/nowhere/at/all", {}), Error); }

TEST(ExaminePhoto, SaysFormatSizeAndOrientation) {
  const Audit audit = audit_data(kTestData / "photos", {});
  for (std::size_t i = 0; i < audit.facts.size(); ++i) {
    EXPECT_EQ(to_string(audit.facts[i].format), "JPEG");
    EXPECT_EQ(std::min(audit.facts[i].height, audit.facts[i].width), 96) << audit.dataset.samples[i].path;
    EXPECT_EQ(audit.facts[i].orientation, 1);
  }
}

TEST(Audit, ReadsLabelsAsTheTaskWants) {
  test::TemporaryFolder folder;
  const auto photo = std::filesystem::path(GRAFT_SOURCE_DIR) / "tests/data/photos/glass";
  std::string several = "path,label\n", numbers = "path,label\n";
  int i = 0;
  for (const auto& entry : std::filesystem::directory_iterator(photo)) {
    several += entry.path().string() + (i % 2 == 0 ? ",a|b\n" : ",\n");
    numbers += entry.path().string() + "," + std::to_string(i++) + "\n";
  }
  replace_file(folder / "several.csv", several);
  replace_file(folder / "numbers.csv", numbers + photo.string() + "/" +
                                           std::filesystem::directory_iterator(photo)->path().filename().string() +
                                           ",-1\n");
  const Audit of_classes = audit_data(folder / "several.csv", {.labels = {.task = Task::kMultiLabel}});
  EXPECT_FALSE(of_classes.harmful());
  EXPECT_EQ(to_json(of_classes)["classes"].size(), 2U);
  EXPECT_EQ(to_json(of_classes)["images"]["train"].get<int>() + to_json(of_classes)["images"]["val"].get<int>(), i);
  const Audit of_numbers = audit_data(folder / "numbers.csv", {.labels = {.task = Task::kRegression}});
  EXPECT_TRUE(to_json(of_numbers)["classes"].empty());
  ASSERT_FALSE(of_numbers.findings.empty());
  EXPECT_EQ(of_numbers.findings.front().check, "two_labels");
}

}  // namespace
}  // namespace graft
