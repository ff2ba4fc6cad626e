#include "graft/image/averaged_views.h"

#include <gmock/gmock.h>

#include "graft/core/error.h"
#include "graft/image/preprocess.h"
#include "image/fixture.h"
#include "support/parity.h"

namespace graft {
namespace {

TEST(AveragedViews, AreTorchvisionsCropsAndFlips) {
  const test::ParityFixture tensors("image/views.pt");
  const InputSpec spec{.size = 56};
  int images = 0;
  for (; tensors.has(std::to_string(images) + ".image"); ++images) {
    const std::string key = std::to_string(images) + ".";
    const at::Tensor& image = tensors.at(key + "image");
    for (const auto& name : averaged_view_names()) {
      const auto apart = test::difference(averaged_views(image, spec, name), tensors.at(key + name));
      EXPECT_EQ(test::noted("tta", name, apart.largest), 0) << key << name;
    }
  }
  EXPECT_EQ(images, 4);
}

TEST(AveragedViews, NamesThatAreNoneAndCropsOfSquashedImagesAreErrors) {
  const InputSpec squash{.size = 56, .resize = ResizeMode::kSquash};
  EXPECT_THROW(check_averaged_views("ten_crops", {}), Error);
  EXPECT_THROW(check_averaged_views("five_crop", squash), Error);
  EXPECT_THROW(check_averaged_views("ten_crop", squash), Error);
  for (const char* name : {"none", "hflip", "flips"}) EXPECT_NO_THROW(check_averaged_views(name, squash)) << name;
}

}  // namespace
}  // namespace graft
