#include "graft/head/initialize.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

namespace graft {
namespace {

struct Filled {
  at::Tensor weight, bias;
};

Filled filled(const std::string& name, std::int64_t out, std::int64_t in, std::uint64_t seed = 1) {
  Filled layer{at::full({out, in}, 7.0F), at::full({out}, 7.0F)};
  initialize_linear(name, layer.weight, layer.bias, at::detail::createCPUGenerator(seed));
  return layer;
}

// torch.nn.init's formulas for a linear layer; the bound of the uniform ones is sqrt(3) times the deviation.
const std::map<std::string, double (*)(double in, double out)> kDeviations{
    {"kaiming_uniform", [](double in, double) { return 1 / std::sqrt(3 * in); }},
    {"kaiming_normal", [](double in, double) { return std::sqrt(2 / in); }},
    {"xavier_uniform", [](double in, double out) { return std::sqrt(2 / (in + out)); }},
    {"xavier_normal", [](double in, double out) { return std::sqrt(2 / (in + out)); }},
    {"normal", [](double, double) { return 0.01; }},
    {"orthogonal", [](double in, double out) { return 1 / std::sqrt(std::max(in, out)); }},
    {"zeros", [](double, double) { return 0.0; }},
};

TEST(InitializeLinear, MeanAndDeviationAreTheFormulas) {
  ASSERT_EQ(kDeviations.size(), initialization_names().size());
  for (const auto& name : initialization_names()) {
    const auto [weight, bias] = filled(name, 300, 500);
    const double deviation = kDeviations.at(name)(500, 300);
    // 150,000 draws: the standard error of the deviation is below 0.2 %.
    EXPECT_NEAR(weight.std().item<double>(), deviation, 0.01 * deviation) << name;
    EXPECT_NEAR(weight.mean().item<double>(), 0, 0.02 * deviation) << name;
  }
}

TEST(InitializeLinear, UniformOnesStayInsideTheirBoundAndReachIt) {
  for (const std::string name : {"kaiming_uniform", "xavier_uniform"}) {
    const double bound = std::sqrt(3.0) * kDeviations.at(name)(500, 300);
    const double largest = filled(name, 300, 500).weight.abs().max().item<double>();
    EXPECT_LE(largest, bound * (1 + 1e-6)) << name;
    EXPECT_GT(largest, bound * 0.999) << name;
  }
}

TEST(InitializeLinear, NormalOnesGoBeyondTwoDeviationsAsOftenAsANormalDoes) {
  for (const std::string name : {"kaiming_normal", "xavier_normal", "normal"}) {
    const at::Tensor weight = filled(name, 300, 500).weight / kDeviations.at(name)(500, 300);
    EXPECT_NEAR((weight.abs() > 2).to(at::kDouble).mean().item<double>(), 0.0455, 0.003) << name;
  }
}

TEST(InitializeLinear, BiasIsZeroButForPyTorchsOwnDefault) {
  for (const auto& name : initialization_names()) {
    const at::Tensor bias = filled(name, 3000, 100).bias;
    if (name == "kaiming_uniform") {
      EXPECT_LE(bias.abs().max().item<double>(), 0.1 + 1e-6);
      EXPECT_NEAR(bias.std().item<double>(), 0.1 / std::sqrt(3.0), 0.002);
    } else {
      EXPECT_EQ(bias.abs().max().item<double>(), 0) << name;
    }
  }
}

TEST(InitializeLinear, OrthogonalIsOrthonormalEitherWay) {
  const at::Tensor wide = filled("orthogonal", 20, 50).weight;
  EXPECT_TRUE(at::allclose(wide.mm(wide.t()), at::eye(20), 1e-5, 1e-5));
  const at::Tensor tall = filled("orthogonal", 50, 20).weight;
  EXPECT_TRUE(at::allclose(tall.t().mm(tall), at::eye(20), 1e-5, 1e-5));
}

TEST(InitializeLinear, OrthogonalLeansToNeitherSign) {
  // Without the correction by R's signs, LAPACK makes the first entry negative nearly always.
  int positive = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed)
    positive += filled("orthogonal", 3, 3, seed).weight[0][0].item<double>() > 0 ? 1 : 0;
  EXPECT_GT(positive, 60);
  EXPECT_LT(positive, 140);
}

TEST(InitializeLinear, TheGeneratorDecidesEveryBit) {
  for (const auto& name : initialization_names()) {
    const auto first = filled(name, 40, 30, 5), again = filled(name, 40, 30, 5), other = filled(name, 40, 30, 6);
    EXPECT_TRUE(first.weight.equal(again.weight) && first.bias.equal(again.bias)) << name;
    EXPECT_EQ(first.weight.equal(other.weight), name == "zeros") << name;
  }
}

TEST(InitializeLinear, WorksWithoutABiasAndOnATransposedWeight) {
  const at::Tensor weight = at::empty({30, 40}).t();
  initialize_linear("xavier_normal", weight, {}, at::detail::createCPUGenerator(5));
  EXPECT_TRUE(weight.equal(filled("xavier_normal", 40, 30, 5).weight));
}

}  // namespace
}  // namespace graft
