#include "graft/head/initialize.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "support/parity.h"

namespace graft {
namespace {

using test::ParityFixture;
using test::relative_error;

struct Filled {
  at::Tensor weight, bias;
};

Filled filled(const InitSpec& spec, std::int64_t out, std::int64_t in, std::uint64_t seed = 1) {
  Filled layer{at::full({out, in}, 7.0F), at::full({out}, 7.0F)};
  initialize_linear(spec, layer.weight, layer.bias, at::detail::createCPUGenerator(seed));
  return layer;
}

InitSpec init_spec_of(const Json& value) {
  return value.is_string() ? InitSpec{value} : InitSpec{value.begin().key(), *value.begin()};
}

TEST(InitializeLinear, DrawsAsTorch) {
  const ParityFixture reference("head/inits.pt");
  std::set<std::string> seen;
  for (const auto& name : reference.cases("spec")) {
    const InitSpec spec = init_spec_of(reference.json(name + "/spec"));
    seen.insert(spec.name);
    const at::Tensor expected = reference.at(name + "/weight");
    const auto seed = static_cast<std::uint64_t>(reference.at(name + "/seed").item<std::int64_t>());
    const auto [weight, bias] = filled(spec, expected.size(0), expected.size(1), seed);
    EXPECT_LT(test::noted("initialisations", spec.name, relative_error(weight, expected)), 2e-6)
        << spec.name << spec.options;
    if (reference.has(name + "/bias")) {
      EXPECT_TRUE(bias.equal(reference.at(name + "/bias")));
    }
  }
  EXPECT_EQ(seen.size(), initialization_names().size());
}

TEST(InitializeLinear, BiasIsZeroButForPyTorchsOwnDefault) {
  for (const auto& name : initialization_names()) {
    const at::Tensor bias = filled({name}, 3000, 100).bias;
    if (name == "default") {
      EXPECT_LE(bias.abs().max().item<double>(), 0.1 + 1e-6);
      EXPECT_NEAR(bias.std().item<double>(), 0.1 / std::sqrt(3.0), 0.002);
    } else {
      EXPECT_EQ(bias.abs().max().item<double>(), 0) << name;
    }
  }
}

TEST(InitializeLinear, OrthogonalIsOrthonormalEitherWay) {
  const at::Tensor wide = filled({"orthogonal"}, 20, 50).weight;
  EXPECT_TRUE(at::allclose(wide.mm(wide.t()), at::eye(20), 1e-5, 1e-5));
  const at::Tensor tall = filled({"orthogonal"}, 50, 20).weight;
  EXPECT_TRUE(at::allclose(tall.t().mm(tall), at::eye(20), 1e-5, 1e-5));
}

TEST(InitializeLinear, OrthogonalLeansToNeitherSign) {
  // Without the correction by R's signs, LAPACK makes the first entry negative nearly always.
  int positive = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed)
    positive += filled({"orthogonal"}, 3, 3, seed).weight[0][0].item<double>() > 0 ? 1 : 0;
  EXPECT_GT(positive, 60);
  EXPECT_LT(positive, 140);
}

TEST(InitializeLinear, TheGeneratorDecidesEveryBit) {
  for (const auto& name : initialization_names()) {
    const auto first = filled({name}, 40, 30, 5), again = filled({name}, 40, 30, 5), other = filled({name}, 40, 30, 6);
    EXPECT_TRUE(first.weight.equal(again.weight) && first.bias.equal(again.bias)) << name;
    EXPECT_EQ(first.weight.equal(other.weight), name == "zeros") << name;
  }
}

TEST(InitializeLinear, WorksWithoutABiasAndOnATransposedWeight) {
  const at::Tensor weight = at::empty({30, 40}).t();
  initialize_linear({"xavier_normal"}, weight, {}, at::detail::createCPUGenerator(5));
  EXPECT_TRUE(weight.equal(filled({"xavier_normal"}, 40, 30, 5).weight));
}

}  // namespace
}  // namespace graft
