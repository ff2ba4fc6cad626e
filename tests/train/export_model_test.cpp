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

TEST(ExportModel, TakesGivenFeaturesWhereTheWholeFileAgreesAndElseNone) {
  const test::TemporaryFolder folder;
  const RunSpec run = test::spec(test::small_recipe(), folder / "");
  const Recipe& recipe = run.recipe;
  const Dataset dataset = load_run_data(run, {});
  Backbone backbone = Backbone::load(recipe.backbone, recipe.backbone_options(Trust::kScan));
  auto head = build_head(recipe.head, backbone.num_features(), head_outputs(dataset), 0);
  Network network(std::move(backbone), std::move(head), at::kCPU);
  network.eval();
  const auto tensors = copy_tensors(network.tensors({}, false));
  int messages = 0, files = 0;
  const auto answers = [&](const at::Tensor& features) {
    messages = 0;
    return export_model({recipe, Json::object(), dataset, tensors, network, "fp32", Trust::kScan, features},
                        folder / std::to_string(++files), [&](const std::string&) { ++messages; })
        .val_probabilities;
  };
  const at::Tensor expected = answers({});
  const int usual = messages;
  const at::Tensor features = features_of(network, dataset.of(Split::kVal), recipe.input);
  const at::Tensor near = answers(features * (1 + 1e-5));
  EXPECT_TRUE(at::allclose(near, expected, 0, 1e-4));
  EXPECT_FALSE(at::equal(near, expected));  // they were taken
  EXPECT_EQ(messages, usual);
  EXPECT_TRUE(at::allclose(answers(features + 1), expected, 0, 1e-5));
  EXPECT_EQ(messages, usual + 1);
}

}  // namespace
}  // namespace graft
