#include "graft/core/files.h"

#include <gtest/gtest.h>

#include "graft/core/crc32.h"
#include "graft/core/error.h"
#include "graft/core/hash.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

TEST(ReplaceFile, LeavesTheOldContentWhenWritingFails) {
  test::TemporaryFolder folder;
  const auto path = folder / "a.txt";
  replace_file(path, "old");
  EXPECT_THROW(replace_file(path,
                            [](const std::filesystem::path& temporary) {
                              replace_file(temporary, "half");
                              throw Error({"disk", "full", "", ""});
                            }),
               Error);
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(ReplaceFile, SaysThatAFolderIsMissing) {
  test::TemporaryFolder folder;
  EXPECT_THROW(replace_file(folder / "absent" / "a.txt", "text"), Error);
}

TEST(Sha256, AgreesWithTheStandardsExample) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  test::TemporaryFolder folder;
  replace_file(folder / "abc", "abc");
  EXPECT_EQ(sha256_file(folder / "abc"), sha256("abc"));
  EXPECT_THROW(sha256_file(folder / "absent"), Error);
}

TEST(Digest, IsItsHexadecimalDigits) {
  const Digest digest = Sha256().update("abc").digest();
  EXPECT_EQ(digest.hex(), sha256("abc"));
  EXPECT_EQ(Digest::parse(sha256("abc")), digest);
  EXPECT_EQ(digest.first_bits(), 0xba7816bf8f01cfeaU);
  EXPECT_LT(Sha256().update("a").digest(), Sha256().update("").digest());  // ca97… and e3b0… by digits
  for (const std::string& text : {sha256("abc").substr(1), sha256("abc") + "0", std::string(64, 'A')})
    EXPECT_FALSE(Digest::parse(text)) << text;
}

TEST(Crc32, AgreesWithTheStandardsExamples) {
  const std::string digits = "123456789", zeros(32, '\0');
  EXPECT_EQ(crc32(std::as_bytes(std::span(digits))), 0xcbf43926U);
  EXPECT_EQ(crc32c(std::as_bytes(std::span(digits))), 0xe3069283U);
  EXPECT_EQ(crc32c(std::as_bytes(std::span(zeros))), 0x8a9136aaU);
}

}  // namespace
}  // namespace graft
