#include <gmock/gmock.h>
#include <torch/types.h>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/random.h"
#include "graft/image/decode.h"
#include "image/fixture.h"

namespace graft {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kFiles{"sampling2.jpg", "progressive.jpg", "cmyk.jpg", "rgb.png",
                                      "palette.png",   "rgb.webp",        "rgb.bmp",  "rgb_raw.tif"};

std::string file(const std::string& name) { return read_file(test::image_fixture("files/" + name)); }

/// The error, or "decoded".
std::string reason(const std::string& bytes) {
  try {
    test::decode(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "decoded";
}

TEST(DamagedImage, CutShortIsAnErrorWhereverItEnds) {
  testing::internal::CaptureStderr();
  for (const auto& name : kFiles) {
    const std::string whole = file(name);
    for (const double part : {0.01, 0.1, 0.5, 0.9, 0.99}) {
      const auto length = static_cast<std::size_t>(part * static_cast<double>(whole.size()));
      EXPECT_THAT(reason(whole.substr(0, length)), HasSubstr("photo: is cut short")) << name << " " << part;
    }
    for (const std::size_t missing : {2U, 5U})
      EXPECT_THAT(reason(whole.substr(0, whole.size() - missing)), HasSubstr("cut short")) << name << " " << missing;
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(DamagedImage, BytesBehindTheImageDoNotMatter) {
  for (const auto& name : kFiles) EXPECT_EQ(reason(file(name) + std::string(100, '\x55')), "decoded") << name;
}

TEST(DamagedImage, ChangedBytesGiveAnImageOrAnError) {
  RandomStream random(1);
  for (const auto& name : kFiles) {
    const std::string whole = file(name);
    for (int i = 0; i < 60; ++i) {
      std::string changed = whole;
      // Half of the changes fall on the header, where they do most harm.
      const std::size_t reach = i % 2 == 0 ? std::min<std::size_t>(whole.size(), 200) : whole.size();
      for (int flips = 0; flips < 3; ++flips) changed[random.below(reach)] = static_cast<char>(random.below(256));
      EXPECT_THAT(reason(changed), testing::AnyOf("decoded", HasSubstr(": "))) << name;
    }
  }
}

TEST(DamagedImage, AChangedPngIsFoundByItsChecksum) {
  std::string bytes = file("rgb.png");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
  EXPECT_THAT(reason(bytes), HasSubstr("checksum"));
}

TEST(DamagedImage, SaysWhatAFileIsInstead) {
  EXPECT_THAT(reason(""), HasSubstr("is empty"));
  EXPECT_THAT(reason("<html><body>not found</body></html>"), HasSubstr("is text"));
  EXPECT_THAT(reason(std::string("\0\0\0\x18"
                                 "ftypheic\0\0\0\0",
                                 16)),
              HasSubstr("HEIC"));
  EXPECT_THAT(reason(std::string("\1\2\3\4\5\6\7\0", 8)), HasSubstr("no format that is known"));
  EXPECT_THAT(reason("PK\x03\x04 and so on"), HasSubstr("zip"));
  EXPECT_THAT(reason(std::string("\xff\xd8\xff", 3)), HasSubstr("cut short"));
}

TEST(DamagedImage, AGifIsDecodedOrTheErrorSaysThatOpenCvCannot) {
  const std::string gif("GIF89a\1\0\1\0\x80\0\0\xff\0\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;", 35);
  EXPECT_THAT(reason(gif), testing::AnyOf("decoded", HasSubstr("has no decoder for")));
}

TEST(DamagedImage, HugeSizesAreRefusedBeforeAnythingIsAllocated) {
  std::string png = file("rgb.png");
  png.replace(16, 8, std::string("\0\0\x40\0\0\0\x40\1", 8));  // 16384 x 16385
  EXPECT_THAT(reason(png), HasSubstr("at most 268435456 pixels"));
  png.replace(16, 8, std::string("\0\0\x40\0\0\0\x40\0", 8));  // 2^28, which is still allowed: the checksum is reached
  EXPECT_THAT(reason(png), HasSubstr("checksum"));
  std::string jpeg = file("sampling2.jpg");
  const auto frame = jpeg.find(std::string("\xff\xc0\0\x11\x08", 5));
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xff\xdc\xff\xdc");  // 65500, the most that libjpeg takes
  EXPECT_THAT(reason(jpeg), HasSubstr("65500 x 65500"));
  std::string bmp = file("rgb.bmp");
  bmp.replace(18, 8, std::string("\0\0\1\0\0\0\xff\xff", 8));  // rows from top to bottom: a negative height
  EXPECT_THAT(reason(bmp), HasSubstr("65536 x 65536"));
  bmp.replace(18, 4, std::string(4, '\0'));
  EXPECT_THAT(reason(bmp), HasSubstr("at least one pixel"));
}

TEST(DamagedImage, NamesAFileThatIsNotThere) {
  try {
    decode_image_file("/nowhere/photo.jpg", {});
    FAIL() << "decoded what is not there";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("/nowhere/photo.jpg"));
  }
}

}  // namespace
}  // namespace graft
