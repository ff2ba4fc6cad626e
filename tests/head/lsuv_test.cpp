#include "graft/head/lsuv.h"

#include <gmock/gmock.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "graft/head/build_head.h"
#include "head/head_spec.h"
#include "support/parity.h"

namespace graft {
namespace {

using test::head_spec;
using test::ParityFixture;
using test::relative_error;

at::Tensor weight_of(const torch::jit::Module& head, const std::string& layer) {
  return head.attr(layer).toModule().attr("weight").toTensor();
}

TEST(Lsuv, ScalesEachLayerAsTheFormula) {
  const ParityFixture reference("head/lsuv.pt");
  const HeadSpec spec = head_spec(reference.json("head"));
  const at::Tensor features = reference.at("features");
  torch::jit::Module head = build_head(spec, features.size(1), 3, 1);
  ASSERT_TRUE(starts_from_data(spec));
  std::map<std::string, at::Tensor> buffers;
  for (const auto& buffer : head.named_buffers()) buffers[buffer.name] = buffer.value.clone();
  for (const char* layer : {"linear_1", "linear_5", "linear_6"}) {
    const torch::NoGradGuard no_grad;
    weight_of(head, layer).copy_(reference.at(std::string(layer) + "/start"));
  }
  scale_to_unit_variance(head, spec, features);
  for (const char* layer : {"linear_1", "linear_5", "linear_6"})
    EXPECT_LT(test::noted("initialisations", "lsuv",
                          relative_error(weight_of(head, layer), reference.at(std::string(layer) + "/weight"))),
              1e-5)
        << layer;
  for (const auto& buffer : head.named_buffers()) EXPECT_TRUE(buffer.value.equal(buffers.at(buffer.name)));
  EXPECT_FALSE(head.is_training());
}

TEST(Lsuv, StartsTheSameWhateverTheWeightsAre) {
  const HeadSpec spec = head_spec(Json::parse(R"([{"linear": 8, "init": "lsuv"}, {"activation": "relu"},
      {"dropout": 0.5}, {"linear": "classes", "bias": 2, "init": {"lsuv": {"tol": 1e-6}}}])"));
  const at::Tensor features = at::rand({20, 5}) * 3;
  torch::jit::Module head = build_head(spec, 5, 3, 7);
  const auto weights = [&] {
    return at::cat({weight_of(head, "linear_0").flatten(), weight_of(head, "linear_3").flatten()});
  };
  const at::Tensor orthonormal = weights().clone();
  start_from_data(head, spec, 7, features);
  const at::Tensor first = weights().clone();
  EXPECT_FALSE(first.equal(orthonormal));
  EXPECT_NEAR(head.forward({features}).toTensor().var().item<double>(), 1, 0.2);
  start_from_data(head, spec, 7, features);
  EXPECT_TRUE(weights().equal(first));
  start_from_data(head, spec, 8, features);
  EXPECT_FALSE(weights().equal(first));
}

TEST(Lsuv, FeaturesWithoutVarianceScaleNothing) {
  const HeadSpec spec = head_spec(Json::parse(R"([{"linear": "classes", "init": "lsuv"}])"));
  torch::jit::Module head = build_head(spec, 5, 3, 7);
  const at::Tensor before = weight_of(head, "linear_0").clone();
  scale_to_unit_variance(head, spec, at::zeros({4, 5}));
  EXPECT_TRUE(weight_of(head, "linear_0").equal(before));
  EXPECT_FALSE(starts_from_data(head_spec(Json::parse(R"([{"linear": "classes"}])"))));
}

}  // namespace
}  // namespace graft
