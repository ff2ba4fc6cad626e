#include "graft/train/export_model.h"

#include <gmock/gmock.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "graft/data/activations.h"
#include "graft/head/build_head.h"
#include "graft/image/preprocess.h"
#include "graft/train/stored_run.h"
#include "graft/train/task.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

at::Tensor features_of(const Network& network, const Samples& samples, const InputSpec& input) {
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> images;
  for (const auto& sample : samples) images.push_back(load_image(sample, input, {}, 0));
  auto backbone = network.backbone().module();
  return backbone.forward({normalize_images(at::stack(images), input)}).toTensor();
}

class ExportModel : public testing::Test {
 protected:
  ExportModel()
      : run_(test::spec(test::small_recipe(), folder_ / "")),
        dataset_(load_run_data(run_, {})),
        network_(make_network()),
        tensors_(copy_tensors(network_.tensors({}, false))) {}

  /// Exports, and counts what is said.
  at::Tensor val_answers(const Dataset& dataset, const at::Tensor& features) {
    messages_ = 0;
    return export_model({run_.recipe, Json::object(), dataset, tensors_, network_, "fp32", Trust::kScan, features},
                        folder_ / std::to_string(++files_), [&](const std::string&) { ++messages_; })
        .val_probabilities;
  }

  Network make_network() {
    const Recipe& recipe = run_.recipe;
    Backbone backbone = Backbone::load(recipe.backbone, recipe.backbone_options(Trust::kScan));
    auto head = build_head(recipe.head, backbone.num_features(), head_outputs(dataset_), 0);
    return {std::move(backbone), std::move(head), at::kCPU};
  }

  const test::TemporaryFolder folder_;
  const RunSpec run_;
  const Dataset dataset_;
  Network network_;
  const std::map<std::string, at::Tensor> tensors_;
  int messages_ = 0, files_ = 0;
};

TEST_F(ExportModel, TakesGivenFeaturesWhereTheWholeFileAgreesAndElseNone) {
  const at::Tensor expected = val_answers(dataset_, {});
  const int usual = messages_;
  const at::Tensor features = features_of(network_, dataset_.of(Split::kVal), run_.recipe.input);
  const at::Tensor near = val_answers(dataset_, features * (1 + 1e-5));
  EXPECT_TRUE(at::allclose(near, expected, 0, 1e-4));
  EXPECT_FALSE(at::equal(near, expected));  // they were taken
  EXPECT_EQ(messages_, usual);
  EXPECT_TRUE(at::equal(val_answers(dataset_, features + 1), expected));
  EXPECT_EQ(messages_, usual + 1);
}

/// Then an engine computes the network.
TEST_F(ExportModel, MeasuresManyPhotosAsItDoesAFew) {
  const at::Tensor expected = val_answers(dataset_, {});
  const int usual = messages_;
  Dataset many = dataset_;
  const auto val = dataset_.of(Split::kVal);
  for (std::size_t i = val.size(); i < 120; ++i) many.samples.push_back(val[i % val.size()]);
  const at::Tensor found = val_answers(many, {});
  ASSERT_EQ(found.size(0), 120);
  for (std::int64_t i = 0; i < 120; ++i) EXPECT_TRUE(found[i].allclose(expected[i % std::ssize(val)], 0, 1e-5)) << i;
  EXPECT_EQ(messages_, usual);
}

}  // namespace
}  // namespace graft
