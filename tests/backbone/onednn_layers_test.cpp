// Layers handed to oneDNN compute what they said before, and all that can be handed over is.
#include "graft/backbone/onednn_layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <thread>

#include "graft/backbone/freeze.h"

namespace graft {
namespace {

constexpr std::int64_t kSize = 12;

/// A network of the given body: images x [3, 3, 12, 12], a convolution's weight c (3 to 8 channels), a second's d (8 to
/// 8), bias b, and a linear layer's weight l (8 to 8).
struct Net {
  explicit Net(const std::string& body) {
    torch::manual_seed(0);
    module.register_parameter("c", torch::randn({8, 3, 3, 3}), false);
    module.register_parameter("d", torch::randn({8, 8, 3, 3}), false);
    module.register_parameter("b", torch::randn({8}), false);
    module.register_parameter("l", torch::randn({8, 8}), false);
    module.define("def forward(self, x):\n    " + body + "\n");
    images = torch::randn({3, 3, kSize, kSize});
    graph = graph::freeze(module.get_method("forward").graph(), module, at::MemoryFormat::ChannelsLast);
  }

  at::Tensor run() const { return graph::run_graph(graph, module, images).toTensor(); }

  torch::jit::Stack two_rows() const {
    return {module._ivalue(), images.slice(0, 0, 2).contiguous(at::MemoryFormat::ChannelsLast)};
  }

  std::vector<std::string> operators() const {
    std::vector<std::string> kinds;
    for (const auto* node : graph::all_nodes(graph->block()))
      if (!graph::is_trivial(node) && node->kind() != c10::prim::ConstantMKLDNNTensor &&
          node->kind() != c10::prim::ListConstruct)
        kinds.emplace_back(node->kind().toUnqualString());
    return kinds;
  }

  torch::jit::Module module{"Net"};
  at::Tensor images;
  std::shared_ptr<graph::Graph> graph;
};

struct LayersCase {
  std::string body;
  std::vector<std::string> operators;  ///< that are left
  friend void PrintTo(const LayersCase& c, std::ostream* out) { *out << c.body; }
};

const std::string kProgram = "onednn_program", kLinear = "_linear_pointwise";

class OneDnnLayers : public testing::TestWithParam<LayersCase> {};

TEST_P(OneDnnLayers, ComputeTheSame) {
  Net net(GetParam().body);
  const at::Tensor expected = net.run();
  graph::use_onednn(net.graph, net.two_rows(), 3);
  EXPECT_EQ(net.operators(), GetParam().operators);
  const at::Tensor found = net.run();
  ASSERT_EQ(found.sizes(), expected.sizes());
  EXPECT_LE((found - expected).abs().max().item<float>(), 2e-5 * expected.abs().max().item<float>());
}

LayersCase after_convolution(const std::string& activation) {
  return {"y = torch.conv2d(x, self.c, self.b)\n    return " + activation, {kProgram}};
}

INSTANTIATE_TEST_SUITE_P(
    Activations, OneDnnLayers,
    testing::Values(after_convolution("torch.relu(y)"), after_convolution("torch.relu_(y)"),
                    after_convolution("torch.relu6(y)"), after_convolution("torch.hardtanh(y, -0.5, 2.)"),
                    after_convolution("torch.clamp(y, 0., 3.)"), after_convolution("torch.leaky_relu(y, 0.2)"),
                    after_convolution("torch.silu(y)"), after_convolution("torch.silu_(y)"),
                    after_convolution("torch.sigmoid(y)"), after_convolution("torch.tanh(y)"),
                    after_convolution("torch.hardswish(y)"), after_convolution("torch.hardsigmoid(y)"),
                    after_convolution("torch.gelu(y)"), after_convolution("torch.gelu(y, approximate='tanh')"),
                    after_convolution("y * torch.sigmoid(y)"), after_convolution("torch.sigmoid(y) * y")));

INSTANTIATE_TEST_SUITE_P(
    Convolutions, OneDnnLayers,
    testing::Values(LayersCase{"return torch.conv2d(x, self.c, self.b, [2, 2], [1, 1])", {kProgram}},
                    LayersCase{"return torch.conv2d(x, self.c, None, [1, 2], [2, 0], [2, 1])", {kProgram}},
                    LayersCase{
                        "y = torch.conv2d(x, self.c)\n    return torch.conv2d(y, self.d.narrow(1, 0, 1), groups=8)",
                        {kProgram}},
                    // What is read twice cannot be overwritten by what follows.
                    LayersCase{"y = torch.conv2d(x, self.c)\n    return torch.relu(y) + y", {kProgram, "relu", "add"}},
                    // One end alone is clamped.
                    LayersCase{"return torch.clamp(torch.conv2d(x, self.c), min=0.)", {kProgram, "clamp"}},
                    LayersCase{"return torch.conv2d(x, self.c, x.mean([0, 2, 3]).repeat([3])[:8])",
                               {"mean", "repeat", "slice", "conv2d"}},
                    LayersCase{"return torch.conv_transpose2d(x, self.c.transpose(0, 1))", {"conv_transpose2d"}},
                    LayersCase{"return torch.conv1d(x.flatten(2), self.c.flatten(2))", {"flatten", "conv1d"}}));

INSTANTIATE_TEST_SUITE_P(
    Padding, OneDnnLayers,
    testing::Values(LayersCase{"return torch.conv2d(torch.constant_pad_nd(x, [1, 1, 1, 1], 0), self.c)", {kProgram}},
                    LayersCase{"return torch.conv2d(torch.constant_pad_nd(x, [0, 1, 0, 1], 0), self.c, None, [2, 2])",
                               {kProgram}},
                    LayersCase{"return torch.conv2d(torch.constant_pad_nd(x, [1, 1, 1, 1], 1), self.c)",
                               {"constant_pad_nd", kProgram}},
                    LayersCase{"return torch.conv2d(torch.constant_pad_nd(x, [-1, 1, 0, 0], 0), self.c)",
                               {"constant_pad_nd", kProgram}}));

INSTANTIATE_TEST_SUITE_P(
    Pools, OneDnnLayers,
    testing::Values(LayersCase{"return torch.max_pool2d(torch.conv2d(x, self.c), [3, 3], [2, 2], [1, 1])", {kProgram}},
                    LayersCase{"return torch.max_pool2d(x, 2)", {kProgram}},
                    LayersCase{"return torch.avg_pool2d(x, [3, 2], [2, 2], [1, 1])", {kProgram}},
                    LayersCase{"return torch.avg_pool2d(x, 3, 2, 1, count_include_pad=False)", {kProgram}},
                    // A window more than fits, with gaps, with a divisor of its own.
                    LayersCase{"return torch.max_pool2d(x, [3, 3], [2, 2], ceil_mode=True)", {"max_pool2d"}},
                    LayersCase{"return torch.max_pool2d(x, [3, 3], [2, 2], dilation=[2, 2])", {"max_pool2d"}},
                    LayersCase{"return torch.avg_pool2d(x, 2, divisor_override=3)", {"avg_pool2d"}}));

INSTANTIATE_TEST_SUITE_P(
    Programs, OneDnnLayers,
    testing::Values(
        // What something else reads comes out, and layers on both sides of it are programs of their own.
        LayersCase{
            "y = torch.conv2d(x, self.c)\n    z = torch.conv2d(y, self.d)\n    return y.mean([1, 2, 3]) + z.mean([1, "
            "2, 3])",
            {kProgram, "mean", "mean", "add"}},
        LayersCase{"y = torch.sort(torch.conv2d(x, self.c))[0]\n    return torch.conv2d(y, self.d)",
                   {kProgram, "sort", kProgram}},
        // Two programs of the same input are not taken for one.
        LayersCase{"y = torch.conv2d(x, self.c).sort()[0]\n    return y + torch.conv2d(x, self.c, self.b).sort()[0]",
                   {kProgram, "sort", kProgram, "sort", "add"}},
        // Maps of other strides.
        LayersCase{"return torch.conv2d(x.transpose(2, 3), self.c)", {"transpose", kProgram}},
        LayersCase{
            "y = torch.conv2d(x, self.c)\n    return torch.conv2d(y, self.d, None, [1, 1], [1, 1]) + y.transpose(2, 3)",
            {kProgram, "transpose", kProgram}},
        // A residual block whose input is read twice, its sum once more.
        LayersCase{
            "y = torch.conv2d(x, self.c)\n    z = torch.relu(torch.conv2d(y, self.d, None, [1, 1], [1, 1]) + y)\n    "
            "return torch.conv2d(z, self.d, None, [1, 1], [1, 1]) + z",
            {kProgram}}));

INSTANTIATE_TEST_SUITE_P(
    Sums, OneDnnLayers,
    testing::Values(
        LayersCase{"y = torch.conv2d(x, self.c)\n    return torch.conv2d(y, self.d, None, [1, 1], [1, 1]) + y",
                   {kProgram}},
        LayersCase{
            "y = torch.conv2d(x, self.c)\n    return torch.relu(y + torch.conv2d(y, self.d, None, [1, 1], [1, 1]))",
            {kProgram}},
        // Each sum goes into one convolution.
        LayersCase{"return torch.relu_(torch.conv2d(x, self.c).add_(torch.conv2d(x, self.c, self.b)))", {kProgram}},
        LayersCase{
            "y = torch.conv2d(x, self.c)\n    return torch.add(torch.conv2d(y, self.d, None, [1, 1], [1, 1]), y, "
            "alpha=2)",
            {kProgram, "add"}},
        // Broadcast, not summed number by number.
        LayersCase{"y = torch.conv2d(x, self.c)\n    return y + y.mean([2, 3], True)", {kProgram, "mean", "add"}},
        LayersCase{"return torch.conv2d(x, self.c) + self.b.view([8, 1, 1])", {kProgram, "add"}},
        LayersCase{"y = torch.conv2d(x, self.c)\n    return y + torch.ones([1, 8, 10, 10])", {kProgram, "add"}}));

INSTANTIATE_TEST_SUITE_P(
    Linear, OneDnnLayers,
    testing::Values(
        LayersCase{"y = torch.conv2d(x, self.c).mean([2, 3])\n    return torch.gelu(torch.linear(y, self.l, self.b))",
                   {kProgram, "mean", kLinear}},
        LayersCase{
            "y = torch.conv2d(x, self.c).flatten(2).transpose(1, 2)\n    return torch.linear(y, self.l, self.b) + y",
            {kProgram, "flatten", "transpose", kLinear}},
        LayersCase{"y = torch.conv2d(x, self.c).mean([2, 3])\n    return torch.relu(torch.linear(y, self.l) + y)",
                   {kProgram, "mean", kLinear, "relu"}}));

// Not every processor has a way for such sides: the padding may stay, the result is the same.
TEST(OneDnnLayers, PaddingOfFourDifferentSidesComputesTheSame) {
  Net net("return torch.conv2d(torch.constant_pad_nd(x, [2, 0, 1, 3], 0), self.c, None, [2, 1], [1, 0])");
  const at::Tensor expected = net.run();
  graph::use_onednn(net.graph, net.two_rows(), 3);
  EXPECT_LE((net.run() - expected).abs().max().item<float>(), 2e-5 * expected.abs().max().item<float>());
}

// Early layers run on a few rows at once, later ones on more: the result is that of all rows.
TEST(OneDnnLayers, LargeMapsAreComputedInParts) {
  std::string body = "y = torch.conv2d(x, self.c, self.b, [1, 1], [1, 1])\n    ";
  for (int i = 0; i < 4; ++i)
    body += "y = torch.max_pool2d(torch.conv2d(y, self.d, None, [1, 1], [1, 1]) + y, 2)\n    ";
  Net net(body + "return y");
  net.images = torch::randn({6, 3, 192, 192});
  const at::Tensor expected = net.run();
  graph::use_onednn(net.graph, net.two_rows(), 6);
  EXPECT_THAT(net.operators(), testing::Each(kProgram));
  const at::Tensor found = net.run();
  EXPECT_LE((found - expected).abs().max().item<float>(), 2e-5 * expected.abs().max().item<float>());
}

TEST(OneDnnLayers, SeveralThreadsRunAProgram) {
  Net net("return torch.conv2d(torch.relu(torch.conv2d(x, self.c)), self.d)");
  const at::Tensor expected = net.run();
  graph::use_onednn(net.graph, net.two_rows(), 3);
  net.run();
  std::vector<at::Tensor> found(4);
  {
    std::vector<std::jthread> threads;
    for (auto& result : found)
      threads.emplace_back([&] {
        for (int i = 0; i < 20; ++i) result = net.run();
      });
  }
  for (const auto& result : found) EXPECT_LE((result - expected).abs().max().item<float>(), 1e-4);
}

// A program is compiled for the rows that it was promised.
TEST(OneDnnLayers, OtherRowsAreAnError) {
  Net net("return torch.conv2d(x, self.c)");
  graph::use_onednn(net.graph, net.two_rows(), 2);
  EXPECT_THROW(net.run(), std::exception);
}

// A branch stays as it is: it may not run at all.
TEST(OneDnnLayers, LayersWithinABranchStay) {
  Net net("y = x\n    if x.mean().item() > 0:\n        y = torch.conv2d(x, self.c)\n    return y");
  const at::Tensor expected = net.run();
  graph::use_onednn(net.graph, net.two_rows(), 3);
  EXPECT_TRUE(net.run().equal(expected));
}

}  // namespace
}  // namespace graft
