#include "graft/backbone/train_selection.h"

#include <gmock/gmock.h>
#include <torch/types.h>

#include "graft/core/error.h"
#include "support/fixture_backbones.h"

namespace graft {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Backbone resnet() { return Backbone::load(test::FixtureBackbone{"resnet18", "scripted"}.file(), {.image_size = 64}); }
const std::vector<std::string> kHead{"linear_0.weight", "linear_0.bias"};

TEST(SelectTrained, HeadIsGraftsOwn) {
  const auto selection = select_trained({"head"}, resnet(), kHead, "train");
  EXPECT_EQ(selection.head.size(), 2U);
  EXPECT_THAT(selection.backbone, IsEmpty());
}

TEST(SelectTrained, GlobsPathsStagesAndExclusions) {
  const Backbone backbone = resnet();
  EXPECT_THAT(select_trained({"layer4.1"}, backbone, kHead, "train").backbone, Contains("layer4.1.conv2.weight"));
  EXPECT_THAT(select_trained({"layer4.1"}, backbone, kHead, "train").backbone, Not(Contains("layer4.0.conv2.weight")));
  EXPECT_EQ(select_trained({"last:1"}, backbone, kHead, "train").backbone,
            select_trained({"layer4"}, backbone, kHead, "train").backbone);
  EXPECT_EQ(select_trained({"first:1"}, backbone, kHead, "train").backbone,
            (std::set<std::string>{"conv1.weight", "bn1.weight", "bn1.bias"}));
  const auto without = select_trained({"layer4", "!*.bias"}, backbone, kHead, "train").backbone;
  EXPECT_THAT(without, Contains("layer4.0.bn1.weight"));
  EXPECT_THAT(without, Not(Contains("layer4.0.bn1.bias")));
  EXPECT_EQ(select_trained({"*.bias"}, backbone, kHead, "train").head, (std::set<std::string>{"linear_0.bias"}));
}

TEST(SelectTrained, AGlobThatMatchesNothingNamesTheNearest) {
  try {
    select_trained({"head", "layer5"}, resnet(), kHead, "phases[0].train");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'layer5' matches no parameter"));
    EXPECT_THAT(error.what(), HasSubstr("'layer1'"));
  }
}

TEST(ApplySelection, StatisticsFollowTheirSwitchAlone) {
  Backbone backbone = resnet();
  const auto selection = select_trained({"layer4"}, backbone, kHead, "train");
  const auto mode = [&](const char* block, const char* layer) {
    return backbone.module().attr(block).toModule().attr("0").toModule().attr(layer).toModule().is_training();
  };
  apply_selection(backbone.module(), selection.backbone, BatchNormStatistics::kUpdate);
  EXPECT_TRUE(mode("layer4", "bn1"));
  EXPECT_FALSE(mode("layer3", "bn1"));
  apply_selection(backbone.module(), selection.backbone, BatchNormStatistics::kFrozen);
  EXPECT_FALSE(mode("layer4", "bn1"));
  EXPECT_TRUE(mode("layer4", "conv1"));
}

}  // namespace
}  // namespace graft
