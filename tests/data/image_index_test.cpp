#include "graft/data/image_index.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/hash.h"
#include "graft/data/dataset.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Older than what an index trusts: no test makes them.
const fs::path kOldFolder = fs::path(GRAFT_SOURCE_DIR) / "tests/data";
const fs::path kPhoto = kOldFolder / "photos/glass/glass104.jpg";
const fs::path kBroken = kOldFolder / "formats/empty.jpg";

Digest photos_hash() { return Digest::parse(sha256_file(kPhoto)).value(); }

class ImageIndexTest : public testing::Test {
 protected:
  ImageIndex open() {
    return {folder_ / "indexes", kOldFolder, [this](const std::string& text) { said_.push_back(text); }};
  }
  fs::path file() const { return list_image_indexes(folder_ / "indexes").at(0).file; }

  void keep(const std::vector<fs::path>& images) {
    ImageIndex index = open();
    for (const auto& image : images) index.examine(image);
    index.save();
  }

  /// Changes what is kept, as nobody but this test does.
  void rewrite(const std::function<void(ImageFindings&)>& change) {
    ImageFindings findings = ImageFindings::read(file());
    change(findings);
    std::vector<const FoundImage*> images;
    for (const auto& image : findings.images) images.push_back(&image);
    ImageFindings::write(file(), findings.about, images);
  }

  test::TemporaryFolder folder_;
  std::vector<std::string> said_;
};

TEST_F(ImageIndexTest, AnUnchangedImageIsNotOpened) {
  keep({kPhoto});
  const Digest made_up = Sha256().update("made up").digest();
  rewrite([&](ImageFindings& findings) { findings.images[0].hash = made_up; });
  ImageIndex index = open();
  EXPECT_EQ(index.examine(kPhoto).hash, made_up);  // so the file was not read
  EXPECT_EQ(index.unchanged(), 1U);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(ImageIndexTest, WhatIsLeftOutIsLeftOutAgainWithTheSameWords) {
  const Examined first = open().examine(kBroken);
  EXPECT_NE(first.problem, "");
  keep({kBroken});
  ImageIndex index = open();
  const Examined again = index.examine(kBroken);
  EXPECT_EQ(index.unchanged(), 1U);
  EXPECT_EQ(again.problem, first.problem);
  EXPECT_EQ(again.hash, first.hash);
}

TEST_F(ImageIndexTest, EachPartOfTheStampCounts) {
  const std::vector<std::function<void(FileStamp&)>> changes{
      [](FileStamp& stamp) { ++stamp.bytes; }, [](FileStamp& stamp) { ++stamp.modified; },
      [](FileStamp& stamp) { ++stamp.changed; }, [](FileStamp& stamp) { ++stamp.inode; }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    keep({kPhoto});
    rewrite([&](ImageFindings& findings) { changes[i](findings.images[0].stamp); });
    ImageIndex index = open();
    EXPECT_EQ(index.examine(kPhoto).hash, photos_hash());
    EXPECT_EQ(index.unchanged(), 0U) << i;
    index.save();
  }
}

TEST_F(ImageIndexTest, AnotherDecoderExaminesAnew) {
  keep({kPhoto});
  rewrite([](ImageFindings& findings) { findings.about.decoder = "another"; });
  ImageIndex index = open();
  index.examine(kPhoto);
  EXPECT_EQ(index.unchanged(), 0U);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(ImageIndexTest, ADamagedIndexIsMadeAnewAndSaid) {
  keep({kPhoto});
  const std::string text = read_file(file());
  for (const std::size_t size : {std::size_t{0}, std::size_t{64}, std::size_t{65}, text.size() / 2, text.size() - 1}) {
    replace_file(file(), text.substr(0, size));
    said_.clear();
    ImageIndex index = open();
    EXPECT_EQ(index.examine(kPhoto).hash, photos_hash());
    EXPECT_THAT(said_, ElementsAre(HasSubstr("is damaged")));
    EXPECT_EQ(list_image_indexes(folder_ / "indexes").at(0).data, "");
    index.save();
    EXPECT_EQ(read_file(file()), text);
  }
}

TEST_F(ImageIndexTest, AReplacedImageIsExaminedThoughItsSizeAndTimeAreSetBack) {
  const fs::path image = folder_ / "photo.jpg";
  fs::copy(kPhoto, image);
  const FileStamp before = FileStamp::of(image).value();
  std::string other = read_file(image);
  other.back() = static_cast<char>(other.back() + 1);
  const auto time = fs::last_write_time(image);
  std::this_thread::sleep_for(std::chrono::milliseconds{50});  // the file system's clock ticks
  std::ofstream(image, std::ios::binary | std::ios::in | std::ios::out) << other;
  fs::last_write_time(image, time);
  const FileStamp after = FileStamp::of(image).value();
  EXPECT_EQ(after.bytes, before.bytes);
  EXPECT_EQ(after.modified, before.modified);
  EXPECT_NE(after, before);
}

TEST_F(ImageIndexTest, WhatHasJustChangedIsNotTrusted) {
  const std::chrono::system_clock::time_point time{std::chrono::seconds{1000}};
  const std::int64_t at = 1000'000'000'000;
  using std::chrono::milliseconds;
  for (const FileStamp& stamp : {FileStamp{1, at, 0, 1}, FileStamp{1, 0, at, 1}}) {
    EXPECT_FALSE(stamp.settled(time));
    EXPECT_FALSE(stamp.settled(time + milliseconds{2000}));
    EXPECT_TRUE(stamp.settled(time + milliseconds{2001}));
  }
  fs::copy(kPhoto, folder_ / "new.jpg");
  const auto tomorrow = fs::file_time_type::clock::now() + std::chrono::hours{24};
  fs::last_write_time(folder_ / "new.jpg", tomorrow);
  keep({folder_ / "new.jpg"});
  EXPECT_FALSE(fs::exists(folder_ / "indexes"));
}

TEST_F(ImageIndexTest, AFolderThatCannotBeWrittenCostsTheIndexAlone) {
  replace_file(folder_ / "indexes", "in the way");
  ImageIndex index = open();
  EXPECT_EQ(index.examine(kPhoto).hash, photos_hash());
  index.save();
  EXPECT_THAT(said_, ElementsAre(HasSubstr("indexes")));
}

TEST_F(ImageIndexTest, WhatIsNoLongerThereIsForgottenAndWhatIsTwiceIsKeptOnce) {
  const fs::path other = kOldFolder / "photos/paper";
  const fs::path photo = fs::directory_iterator(other)->path();
  keep({kPhoto, photo, kPhoto});
  EXPECT_EQ(list_image_indexes(folder_ / "indexes").at(0).images, 2U);
  keep({photo, kBroken, photo});
  const ImageFindings findings = ImageFindings::read(file());
  EXPECT_EQ(findings.images.size(), 2U);
  EXPECT_EQ(findings.about.problems.size(), 1U);
  EXPECT_TRUE(std::ranges::is_sorted(findings.images, {}, &FoundImage::path));
}

TEST_F(ImageIndexTest, AMissingImageIsNotKept) {
  keep({folder_ / "absent.jpg", kPhoto});
  EXPECT_EQ(list_image_indexes(folder_ / "indexes").at(0).images, 1U);
}

TEST_F(ImageIndexTest, ADataSetIsLoadedTheSameFromIt) {
  std::vector<std::string> said;
  const DatasetOptions options{.workers = 2, .image_indexes = folder_ / "indexes", .on_message = [&](const auto& text) {
                                 said.push_back(text);
                               }};
  const Dataset first = load_dataset(kOldFolder / "photos", options);
  EXPECT_THAT(said, IsEmpty());
  const Dataset second = load_dataset(kOldFolder / "photos", options);
  EXPECT_THAT(said, ElementsAre(HasSubstr("24 of 24 unchanged")));
  ASSERT_EQ(first.samples.size(), second.samples.size());
  for (std::size_t i = 0; i < first.samples.size(); ++i) {
    EXPECT_EQ(first.samples[i].hash, second.samples[i].hash);
    EXPECT_EQ(first.samples[i].split, second.samples[i].split);
  }
}

}  // namespace
}  // namespace graft
