// Results share buffers, and none is overwritten while a later step reads it.
#include "graft/backbone/value_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace graft {
namespace {

using testing::ElementsAre;

constexpr Place input(std::size_t index) { return {Place::Kind::kInput, index}; }
constexpr Place output(std::size_t index) { return {Place::Kind::kOutput, index}; }
constexpr Place buffer(std::size_t index) { return {Place::Kind::kBuffer, index}; }

TEST(ValuePlaces, AChainTakesTwoBuffersInTurn) {
  const auto found = place_values({{0}, {1}, {2}, {3}}, {1, 10, 20, 30, 5}, {4});
  EXPECT_THAT(found.places, ElementsAre(input(0), buffer(0), buffer(1), buffer(0), output(0)));
  EXPECT_THAT(found.buffers, ElementsAre(30, 20));
}

TEST(ValuePlaces, OfTheFreeBuffersTheOneOfTheNearestSizeIsTaken) {
  // Values 1, 2 and 3 are alive at once; then 4 may have the place of 1 or 2.
  const auto found = place_values({{0}, {0}, {1, 2}, {3}, {4}}, {1, 100, 100, 100, 10, 1}, {5});
  EXPECT_EQ(found.places[3], found.places[2]);  // the sum lies where its part lay
  EXPECT_EQ(found.places[4], found.places[1]);
}

TEST(ValuePlaces, ASumLiesWhereWhatIsAddedLay) {
  const auto found = place_values({{0}, {1}, {2, 1}, {3}}, {1, 1, 1, 1, 1}, {4});
  EXPECT_EQ(found.places[3], found.places[1]);
  EXPECT_THAT(found.copied, testing::Each(std::nullopt));
}

TEST(ValuePlaces, WhatIsReadLaterIsCopiedForASum) {
  const auto found = place_values({{0}, {1}, {2, 1}, {3, 1}}, {1, 1, 1, 1, 1}, {4});
  EXPECT_NE(found.places[3], found.places[1]);
  EXPECT_THAT(found.copied, ElementsAre(std::nullopt, std::nullopt, 1, 1));  // the last goes to the output
}

TEST(ValuePlaces, AnInputIsCopiedForASum) {
  const auto found = place_values({{0}, {1, 0}, {2}}, {1, 1, 1, 1}, {3});
  EXPECT_EQ(found.places[2].kind, Place::Kind::kBuffer);
  EXPECT_THAT(found.copied, ElementsAre(std::nullopt, 0, std::nullopt));
}

TEST(ValuePlaces, AnOutputThatIsReadLaterStaysWhereItIs) {
  const auto found = place_values({{0}, {1}, {2, 1}}, {1, 1, 1, 1}, {1, 3});
  EXPECT_THAT(found.places, ElementsAre(input(0), output(0), buffer(0), output(1)));
  EXPECT_THAT(found.copied, ElementsAre(std::nullopt, std::nullopt, 1));
}

TEST(ValuePlaces, AStepDoesNotWriteToWhatItReads) {
  // Twice itself: read and added are one value.
  const auto found = place_values({{0}, {1, 1}, {2}}, {1, 1, 1, 1}, {3});
  EXPECT_NE(found.places[2], found.places[1]);
  EXPECT_THAT(found.copied, ElementsAre(std::nullopt, 1, std::nullopt));
}

}  // namespace
}  // namespace graft
