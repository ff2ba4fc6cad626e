// Attention that was written for inference alone gives the same answers written out, and gradients.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "graft/backbone/backbone.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

constexpr int kSide = 8, kWidth = 6;

class Attention : public testing::Test {
 protected:
  /// A network of tokens t [N, 64, 6] whose forward ends with the body given.
  Backbone load(const std::string& body) {
    torch::manual_seed(0);
    torch::jit::Module module("Net");
    for (const auto& [name, sizes] : std::map<std::string, std::vector<std::int64_t>>{{"embed", {kWidth, 3}},
                                                                                      {"qkv", {3 * kWidth, kWidth}},
                                                                                      {"qkv_bias", {3 * kWidth}},
                                                                                      {"w", {kWidth, kWidth}},
                                                                                      {"b", {kWidth}},
                                                                                      {"n1", {kWidth}},
                                                                                      {"n2", {kWidth}},
                                                                                      {"up", {12, kWidth}},
                                                                                      {"up_bias", {12}},
                                                                                      {"down", {kWidth, 12}}})
      module.register_parameter(name, torch::randn(sizes), false);
    module.define("def forward(self, x):\n    t = torch.linear(x.flatten(2).transpose(1, 2), self.embed)\n" + body +
                  "    return t.mean(1)\n");
    path_ = folder_ / "net.pt";
    module.save(path_.string());
    return Backbone::load(path_, {.image_size = kSide, .features = {.classifier = ClassifierChoice::kKeep}});
  }

  /// The file's own answer, and a gradient at each parameter that is read.
  void expect_same_and_trainable(Backbone backbone) {
    const at::Tensor x = torch::randn({4, 3, kSide, kSide});
    auto file = torch::jit::load(path_.string());
    at::Tensor expected;
    {
      torch::NoGradGuard no_grad;
      expected = file.forward({x}).toTensor();
    }
    for (const auto& [name, parameter] : backbone.parameters()) parameter.set_requires_grad(true);
    const at::Tensor features = backbone.module().forward({x}).toTensor();
    EXPECT_TRUE(features.allclose(expected, 1e-5, 1e-5));
    features.pow(3).sum().backward();
    for (const auto& [name, parameter] : backbone.parameters()) {
      ASSERT_TRUE(parameter.grad().defined()) << name;
      EXPECT_GT(parameter.grad().abs().sum().item<double>(), 0) << name;
    }
  }

  test::TemporaryFolder folder_;
  std::filesystem::path path_;
};

const std::string kAttention =
    "torch._native_multi_head_attention(t, t, t, 6, 2, self.qkv, self.qkv_bias, self.w, self.b, None, False)";

TEST_F(Attention, OfATraceWithoutGradientIsWrittenOut) {
  Backbone backbone = load("    t = t + " + kAttention + "[0]\n");
  EXPECT_THAT(backbone.notes(), testing::Contains(testing::HasSubstr("attention in 1 places")));
  expect_same_and_trainable(std::move(backbone));
}

TEST_F(Attention, OfAWholeEncoderLayerIsWrittenOut) {
  for (const std::string gelu : {"True", "False"})
    for (const std::string norm_first : {"True", "False"}) {
      SCOPED_TRACE("gelu " + gelu + ", norm_first " + norm_first);
      expect_same_and_trainable(load(
          "    t = torch._transformer_encoder_layer_fwd(t, 6, 2, self.qkv, self.qkv_bias, self.w, self.b, " + gelu +
          ", " + norm_first + ", 1e-5, self.n1, self.b, self.n2, self.b, self.up, self.up_bias, self.down, self.b)\n"));
    }
}

TEST_F(Attention, OfAnUnfrozenFileWithTwoPathsStaysAsItIs) {
  Backbone backbone = load(
      "    if torch.is_grad_enabled():\n"
      "        t = torch.relu(t)\n"
      "    else:\n"
      "        t = " +
      kAttention + "[0]\n");
  EXPECT_THAT(backbone.notes(), testing::Not(testing::Contains(testing::HasSubstr("attention"))));
}

}  // namespace
}  // namespace graft
