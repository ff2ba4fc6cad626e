#include "graft/data/row_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <fstream>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

class RowStoreTest : public testing::Test {
 protected:
  RowStore open() const { return RowStore(folder_ / "store", {{2, 3}}, {{"of", "a test"}}); }
  static at::Tensor row(double value) { return torch::full({2, 3}, value); }
  static at::Tensor found(const RowStore& store, const std::string& name) {
    const at::Tensor row = torch::full({2, 3}, -1.0);
    return store.find(name, row) ? row : at::Tensor();
  }
  void overwrite(const std::string& file, std::streamoff at, char byte) const {
    std::fstream stream(folder_ / "store" / file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(at).put(byte);
  }

  test::TemporaryFolder folder_;
};

TEST_F(RowStoreTest, KeepsRowsBetweenOpenings) {
  {
    RowStore store = open();
    EXPECT_FALSE(found(store, "a").defined());
    store.add({"a", "b"}, torch::stack({row(1), row(2)}));
    EXPECT_TRUE(found(store, "b").equal(row(2)));
  }
  RowStore store = open();
  EXPECT_TRUE(found(store, "a").equal(row(1)));
  EXPECT_FALSE(found(store, "c").defined());
  store.add({"c"}, row(3).unsqueeze(0));
  EXPECT_TRUE(found(open(), "c").equal(row(3)));
}

TEST_F(RowStoreTest, TwoWritersKeepEachOthersRows) {
  RowStore one = open(), two = open();
  one.add({"a"}, row(1).unsqueeze(0));
  two.add({"b"}, row(2).unsqueeze(0));
  one.add({"c"}, row(3).unsqueeze(0));
  const RowStore all = open();
  EXPECT_TRUE(found(all, "a").equal(row(1)));
  EXPECT_TRUE(found(all, "b").equal(row(2)));
  EXPECT_TRUE(found(all, "c").equal(row(3)));
}

TEST_F(RowStoreTest, ADamagedRowIsNotThereUntilItIsWrittenAgain) {
  open().add({"a", "b"}, torch::stack({row(1), row(2)}));
  overwrite("rows", 6 * 4 + 2, 'x');
  RowStore store = open();
  EXPECT_TRUE(found(store, "a").equal(row(1)));
  EXPECT_FALSE(found(store, "b").defined());
  store.add({"b"}, row(2).unsqueeze(0));
  EXPECT_TRUE(found(open(), "b").equal(row(2)));
}

TEST_F(RowStoreTest, WhatAKilledWriterLeftIsWrittenOver) {
  open().add({"a"}, row(1).unsqueeze(0));
  std::filesystem::resize_file(folder_ / "store/rows", 6 * 4 + 10);   // a row without its entry
  std::ofstream(folder_ / "store/entries", std::ios::app) << "0123";  // a part of an entry
  RowStore store = open();
  store.add({"b"}, row(2).unsqueeze(0));
  const RowStore again = open();
  EXPECT_TRUE(found(again, "a").equal(row(1)));
  EXPECT_TRUE(found(again, "b").equal(row(2)));
}

TEST_F(RowStoreTest, AnEntryWhoseRowIsCutOffIsNotThere) {
  open().add({"a", "b"}, torch::stack({row(1), row(2)}));
  std::filesystem::resize_file(folder_ / "store/rows", 6 * 4 + 10);
  const RowStore store = open();
  EXPECT_TRUE(found(store, "a").defined());
  EXPECT_FALSE(found(store, "b").defined());
}

TEST_F(RowStoreTest, IsListedAndRemovedWhereNobodyHasItOpen) {
  {
    const RowStore store = open();
    ASSERT_EQ(list_row_stores(folder_.path()).size(), 1U);
    EXPECT_EQ(list_row_stores(folder_.path())[0].about, (Json{{"of", "a test"}}));
    EXPECT_FALSE(remove_row_store(folder_ / "store"));
  }
  EXPECT_TRUE(remove_row_store(folder_ / "store"));
  EXPECT_TRUE(list_row_stores(folder_.path()).empty());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "store"));
}

TEST_F(RowStoreTest, RoomIsMadeByWhatWasUsedLongestAgo) {
  for (const char* name : {"old", "new"})
    RowStore(folder_ / "s" / name, {{1}}, {{"of", name}}).add({"a"}, torch::ones({1, 1}));
  const auto now = std::filesystem::file_time_type::clock::now();
  std::filesystem::last_write_time(folder_ / "s/old/in_use", now - std::chrono::hours(2));
  std::filesystem::last_write_time(folder_ / "s/new/in_use", now - std::chrono::hours(1));
  EXPECT_TRUE(make_room(folder_ / "s", 1));
  // What is there of a store already is a part of what it will take.
  EXPECT_TRUE(
      make_room(folder_ / "s", room_for_row_stores(folder_ / "s") - 1000, {folder_ / "s/old", folder_ / "s/new"}));
  EXPECT_EQ(list_row_stores(folder_ / "s").size(), 2U);
  EXPECT_EQ(list_row_stores(folder_ / "s")[0].about.at("of"), "old");
  const RowStore in_use(folder_ / "s/new", {{1}}, {});
  EXPECT_FALSE(make_room(folder_ / "s", std::filesystem::space(folder_.path()).capacity));
  ASSERT_EQ(list_row_stores(folder_ / "s").size(), 1U);
  EXPECT_EQ(list_row_stores(folder_ / "s")[0].about.at("of"), "new");
}

TEST_F(RowStoreTest, AFolderThatCannotBeMadeIsAnError) {
  std::ofstream(folder_ / "file") << "in the way";
  EXPECT_THROW(RowStore(folder_ / "file/store", {{1}}, {}), Error);
}

}  // namespace
}  // namespace graft
