// Where features end, over the ways in which networks end; the networks are a line of TorchScript each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "graft/backbone/backbone.h"
#include "graft/core/error.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

constexpr int kImageSide = 8;

class Cut : public testing::Test {
 protected:
  /// A module with the body given; h stands for the features [N, 3], w [5, 3], b [5], k [5, 3, 1, 1].
  std::filesystem::path file(const std::string& body, const std::string& signature = "x",
                             c10::ScalarType type = at::kFloat) {
    torch::manual_seed(0);
    torch::jit::Module module("Net");
    module.register_attribute("training", c10::BoolType::get(), false);
    module.register_parameter("w", torch::randn({5, 3}).to(type), false);
    module.register_parameter("w2", torch::randn({5, 3}).to(type), false);
    module.register_parameter("w6", torch::randn({5, 6}).to(type), false);
    module.register_parameter("b", torch::randn({5}).to(type), false);
    module.register_parameter("k", torch::randn({5, 3, 1, 1}).to(type), false);
    module.define("def forward(self, " + signature + "):\n    h = torch.mean(x, [2, 3])\n" + body);
    const auto path = folder_ / "net.pt";
    module.save(path.string());
    return path;
  }

  Backbone load(const std::string& body, FeaturesChoice choice = {}) {
    return Backbone::load(file(body), {.image_size = kImageSide, .features = std::move(choice)});
  }

  std::string error_of(const std::string& body, FeaturesChoice choice = {}) {
    try {
      load(body, std::move(choice));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  static at::Tensor images() { return torch::randn({4, 3, kImageSide, kImageSide}); }

  /// Features of four images against their means, which every body here starts from.
  static void expect_means(Backbone& backbone) {
    const at::Tensor x = images();
    EXPECT_TRUE(backbone.module().forward({x}).toTensor().allclose(x.mean({2, 3}), 1e-5, 1e-6));
  }

  test::TemporaryFolder folder_;
};

TEST_F(Cut, EverySpellingOfALinearLayerIsCutOffAtItsInput) {
  for (const std::string body : {
           "    return torch.linear(h, self.w, self.b)\n",
           "    return torch.matmul(h, torch.t(self.w)) + self.b\n",
           "    return torch.addmm(self.b, h, torch.t(self.w))\n",
           "    return torch.mm(h, self.w.t())\n",
           "    return torch.log_softmax(torch.linear(h, self.w, self.b), 1)\n",
           "    return torch.sigmoid(torch.linear(torch.dropout(h, 0.5, False), self.w, self.b)) * 2.0\n",
           "    return torch.linear(h, self.w.to(6), None)\n",
           "    y = torch.linear(h, self.w, self.b)\n    return {'out': y, 'aux': torch.linear(h, self.w2, self.b)}\n",
           "    y = torch.linear(h, self.w, self.b)\n    return [y, h]\n",
           "    y = torch.linear(h, self.w, self.b)\n    return y, h\n",
           "    d : Dict[str, Tensor] = {}\n    d['out'] = torch.linear(h, self.w, self.b)\n    return d\n",
           "    return (torch.linear(h, self.w, self.b) + torch.linear(h, self.w2, self.b)) / 2\n",
           "    y = [torch.linear(h, self.w, self.b), torch.linear(h, self.w2, self.b)]\n"
           "    return torch.mean(torch.stack(y, 0), [0])\n",
       }) {
    SCOPED_TRACE(body);
    Backbone backbone = load(body);
    EXPECT_EQ(backbone.classifier().in, 3);
    EXPECT_EQ(backbone.classifier().out, 5);
    EXPECT_EQ(backbone.num_features(), 3);
    expect_means(backbone);
  }
}

TEST_F(Cut, HeadsOnDifferentFeaturesHaveThemJoined) {
  Backbone backbone = load(
      "    y = torch.linear(torch.cat([h, h], 1), self.w6, self.b)\n"
      "    return torch.mean(torch.stack([torch.linear(h, self.w, self.b), y], 0), [0])\n");
  const at::Tensor x = images();
  const at::Tensor means = x.mean({2, 3});
  EXPECT_TRUE(backbone.module().forward({x}).toTensor().allclose(at::cat({means, means, means}, 1), 1e-5, 1e-6));
  EXPECT_EQ(backbone.classifier().in, 9);
}

TEST_F(Cut, AOneByOneConvolutionBecomesTheIdentityAndThePoolingStays) {
  for (const std::string body :
       {"    return torch.mean(torch.conv2d(x, self.k, self.b), [2, 3])\n",
        "    return torch.flatten(torch.conv2d(torch.mean(x, [2, 3], True), self.k, self.b), 1)\n",
        "    y = torch.dropout(x, 0.5, False)\n"
        "    return torch.mean(torch.relu(torch.conv2d(y, self.k, self.b)), [2, 3])\n"}) {
    SCOPED_TRACE(body);
    Backbone backbone = load(body);
    EXPECT_EQ(backbone.classifier().in, 3);
    EXPECT_EQ(backbone.classifier().out, 5);
    if (body.find("relu") == std::string::npos) expect_means(backbone);
  }
}

TEST_F(Cut, FurtherOutputsAreSaid) {
  const Backbone backbone = load("    y = torch.linear(h, self.w, self.b)\n    return y, h, h + 1\n");
  EXPECT_EQ(backbone.classifier().outputs_dropped, 2);
  EXPECT_THAT(backbone.notes(), testing::Contains(testing::HasSubstr("2 more are dropped")));
}

TEST_F(Cut, HeadlessNetworksKeepTheirOutput) {
  for (const std::string body : {
           "    return torch.relu(torch.linear(h, self.w, self.b))\n",
           "    return torch.gelu(torch.linear(h, self.w, self.b))\n",
           "    y = torch.conv2d(x, self.k, self.b)\n    return torch.relu(y + torch.relu(y))\n",
           "    return torch.cat([torch.linear(h, self.w, self.b), h], 1)\n",
       }) {
    SCOPED_TRACE(body);
    EXPECT_FALSE(load(body).classifier().found());
  }
}

TEST_F(Cut, WhatIsNotCertainIsAskedWithTheCandidates) {
  using testing::HasSubstr;
  const std::string squeeze = "    return torch.mean(torch.relu(torch.conv2d(x, self.k, self.b)), [2, 3])\n";
  EXPECT_THAT(error_of(squeeze), HasSubstr("1x1 convolution, 3 -> 5"));
  EXPECT_EQ(load(squeeze, {.classifier = ClassifierChoice::kReplace}).num_features(), 3);
  EXPECT_EQ(load(squeeze, {.classifier = ClassifierChoice::kKeep}).num_features(), 5);
  EXPECT_THAT(error_of("    return torch.linear(h, self.w, self.b) + torch.linear(h, self.w2, self.b)\n"),
              HasSubstr("a sum of 2 linear layers"));
  EXPECT_THAT(error_of("    y = torch.linear(h, self.w, self.b)\n    if bool(torch.sum(h) > 0):\n        y = y + 1\n"
                       "    return y\n"),
              HasSubstr("a branch that depends on the images"));
  const std::string unknown = "    return torch.cumsum(torch.linear(h, self.w, self.b), 1)\n";
  EXPECT_THAT(error_of(unknown), testing::AllOf(HasSubstr("aten::cumsum"), HasSubstr("linear, 3 -> 5"),
                                                HasSubstr("--classifier replace")));
  Backbone replaced = load(unknown, {.classifier = ClassifierChoice::kReplace});
  expect_means(replaced);
}

TEST_F(Cut, DependenceIsFollowedThroughListsAndWrites) {
  for (const std::string body : {"    parts : List[Tensor] = []\n    for part in torch.chunk(x, 3, 1):\n"
                                 "        parts.append(part * 1.0)\n    h = torch.mean(torch.cat(parts, 1), [2, 3])\n",
                                 "    z = torch.zeros_like(self.k)[0, :, 0, 0].expand(x.size(0), 3).clone()\n"
                                 "    z[:, 0:3].copy_(h)\n    h = z\n"}) {
    SCOPED_TRACE(body);
    Backbone backbone = load(body + "    return torch.linear(h, self.w, self.b)\n");
    EXPECT_EQ(backbone.classifier().out, 5);
    expect_means(backbone);
  }
}

TEST_F(Cut, AModulesOutputCanBeNamed) {
  torch::jit::Module inner("Inner");
  inner.define("def forward(self, x):\n    return torch.mean(x, [2, 3]) * 2.0\n");
  torch::jit::Module module("Outer");
  module.register_parameter("w", torch::randn({5, 3}), false);
  module.register_module("body", inner);
  module.define(
      "def forward(self, x):\n    return torch.cumsum(torch.linear(self.body.forward(x), self.w, None), 1)\n");
  module.save((folder_ / "outer.pt").string());
  Backbone backbone = Backbone::load(folder_ / "outer.pt", {.image_size = kImageSide, .features = {.path = "body"}});
  const at::Tensor x = images();
  EXPECT_TRUE(backbone.module().forward({x}).toTensor().equal(x.mean({2, 3}) * 2));
  try {
    Backbone::load(folder_ / "outer.pt", {.image_size = kImageSide, .features = {.path = "bodi"}});
    FAIL() << "a module that is not there was found";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("body"));
  }
}

TEST_F(Cut, ForwardMayHaveOptionalArgumentsAndNoOthers) {
  const std::string body = "    return torch.linear(h, self.w, self.b)\n";
  const BackboneOptions options{.image_size = kImageSide};
  EXPECT_EQ(
      Backbone::load(file(body, "x, scale : float = 1.0, mask : Optional[Tensor] = None"), options).num_features(), 3);
  EXPECT_THROW(Backbone::load(file(body, "x, scale : float"), options), Error);
  torch::jit::Module module("Lists");
  module.define("def forward(self, x : List[Tensor]):\n    return x[0]\n");
  module.save((folder_ / "lists.pt").string());
  EXPECT_THROW(Backbone::load(folder_ / "lists.pt", options), Error);
}

TEST_F(Cut, HalfAndBfloat16FilesBecomeFloat) {
  for (const auto type : {at::kHalf, at::kBFloat16, at::kDouble}) {
    const auto path = file("    return torch.linear(h.to(self.w.dtype), self.w, self.b)\n", "x", type);
    Backbone backbone =
        Backbone::load(path, {.image_size = kImageSide, .features = {.classifier = ClassifierChoice::kKeep}});
    EXPECT_EQ(backbone.module().forward({images()}).toTensor().scalar_type(), at::kFloat);
    EXPECT_THAT(backbone.notes(), testing::Contains(testing::HasSubstr("float32")));
  }
}

TEST_F(Cut, AFixedNumberOfImagesIsFreedWhereThatIsExact) {
  Backbone backbone = load("    return torch.linear(h.view([1, 3]), self.w, self.b)\n");
  expect_means(backbone);
  EXPECT_THAT(backbone.notes(), testing::Contains(testing::HasSubstr("traced for batches of 1")));
  Backbone of_two = load("    return torch.linear(h.view([2, 3]), self.w, self.b)\n");
  expect_means(of_two);
  EXPECT_THAT(error_of("    return torch.linear(torch.sum(h, [0], True) + torch.zeros([1, 3]), self.w, self.b)\n"),
              testing::HasSubstr("batches of 1 images only"));
}

TEST_F(Cut, ADeviceOfTheMakersIsNotAskedFor) {
  Backbone backbone = load(
      "    h = h + torch.zeros([3], device=torch.device('cuda:0'))\n"
      "    return torch.linear(h, self.w, self.b)\n");
  expect_means(backbone);
}

// As a scripted recurrent layer keeps its weights: the file holds them twice.
TEST_F(Cut, AListOfTheModulesOwnParametersIsMadeOfThem) {
  torch::jit::Module module("Net");
  const at::Tensor weight = torch::randn({3, 3}), one = torch::zeros({3}), other = torch::zeros({3});
  module.register_parameter("weight", weight, false);
  module.register_parameter("one", one, false);
  module.register_parameter("other", other, false);
  module.register_attribute("flat", c10::ListType::ofTensors(), c10::List<at::Tensor>({weight, one, other}));
  module.define(
      "def forward(self, x):\n    h = torch.mean(x, [2, 3])\n"
      "    return torch.linear(h, self.flat[0], self.flat[1]) + self.flat[2] * 2\n");
  module.save((folder_ / "net.pt").string());
  Backbone backbone = Backbone::load(folder_ / "net.pt",
                                     {.image_size = kImageSide, .features = {.classifier = ClassifierChoice::kKeep}});
  const std::map<std::string, at::Tensor> parameters(backbone.parameters().begin(), backbone.parameters().end());
  ASSERT_EQ(parameters.size(), 3U);
  for (const auto& [name, parameter] : parameters) parameter.set_requires_grad(true);
  backbone.module().forward({images()}).toTensor().sum().backward();
  for (const auto& [name, parameter] : parameters) EXPECT_TRUE(parameter.grad().defined()) << name;
  EXPECT_TRUE(parameters.at("other").grad().allclose(2 * parameters.at("one").grad()));
}

TEST_F(Cut, AnotherImageSizeIsSuggested) {
  const std::string body = "    return torch.linear(torch.flatten(x, 1).view([-1, 3072])[:, 0:3], self.w, self.b)\n";
  EXPECT_THAT(error_of(body), testing::HasSubstr("32"));
}

}  // namespace
}  // namespace graft
