#include <gtest/gtest.h>

#include <algorithm>

#include "support/small_run.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

TEST(Trainer, RoomOnTheDiskForAPartOfARunDoesNotChangeItsEnd) {
  test::TemporaryFolder folder;
  Json recipe = test::two_phases();
  recipe["cache"]["views"] = 2;  // as many as epochs: kept only because the disk has room
  RunSpec whole = test::spec(recipe, folder / "whole"), part = test::spec(recipe, folder / "part");
  whole.environment.stores = folder / "stores";
  part.environment.stores = folder / "others";
  EXPECT_TRUE(Trainer(whole).run().finished);
  std::stop_source stop;
  Trainer first(part);
  first.add_observer(std::make_shared<test::StopAt>(stop, 1));
  EXPECT_FALSE(first.run(stop.get_token()).finished);
  EXPECT_TRUE(Trainer::resume(part.folder).run().finished);
  EXPECT_EQ(test::digest(part.folder), test::digest(whole.folder));
}

/// X and Y of "…, saves X s of Y".
std::pair<double, double> saved(const std::string& text) {
  const auto number = [&](const std::string& before) {
    return std::stod(text.substr(text.find(before) + before.size()));
  };
  return {number("saves "), number(" of ")};
}

class Messages : public Observer {
 public:
  void on_message(const std::string& text) override { texts.push_back(text); }
  std::vector<std::string> texts;
};

TEST(Trainer, WhatKeepingSavesIsAPartOfTheWholeWhereAHeadIsFittedBeforeTheFirstEpoch) {
  test::TemporaryFolder folder;
  Json recipe = test::small_recipe();
  recipe["head"] = Json::parse(R"([{"whiten": "zca", "eps": 0.001}, {"linear": "classes"}])");
  recipe["phases"][0]["epochs"] = 300;  // tenths of a second show
  Trainer trainer(test::spec(recipe, folder / "run"));
  const auto messages = std::make_shared<Messages>();
  trainer.add_observer(messages);
  trainer.run();
  const auto caching =
      std::ranges::find_if(messages->texts, [](const auto& text) { return text.starts_with("caching at"); });
  ASSERT_NE(caching, messages->texts.end());
  EXPECT_LT(saved(*caching).first, saved(*caching).second) << *caching;
}

}  // namespace
}  // namespace graft
