#include "graft/backbone/pooling.h"

#include <gmock/gmock.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>

#include <set>

#include "graft/backbone/backbone.h"
#include "graft/backbone/inline_method.h"
#include "graft/core/error.h"
#include "support/fixture_backbones.h"
#include "support/parity.h"

namespace graft {
namespace {

PoolSpec read(const Json& value, std::vector<Problem>& problems) { return read_pool_spec(value, "pool", problems); }

/// What a network that gives its images back answers once it is pooled.
at::Tensor pooled(const PoolSpec& spec, const at::Tensor& features, const std::vector<std::int64_t>& over) {
  torch::jit::Module module("Net");
  module.define("def forward(self, x):\n    return x + 0\n");
  const auto graph = graph::inline_method(module, "forward", "net");
  graph::append_pooling(*graph, module, spec, over);
  return graph::run_graph(graph, module, features).toTensor();
}

TEST(Pooling, IsTimmsAndThePapers) {
  const test::ParityFixture reference("train/pool.pt");
  std::set<std::string> seen;
  for (const auto& name : reference.cases("spec")) {
    std::vector<Problem> problems;
    const PoolSpec spec = read(reference.json(name + "/spec"), problems);
    const double of_map = test::relative_error(pooled(spec, reference.at("map"), {2, 3}), reference.at(name + "/map"));
    const double of_tokens =
        test::relative_error(pooled(spec, reference.at("tokens"), {1}), reference.at(name + "/tokens"));
    EXPECT_LT(test::noted("pool", spec.name, std::max(of_map, of_tokens)), 1e-6) << name;
    seen.insert(spec.name);
  }
  EXPECT_EQ(seen.size(), pool_names().size());
}

TEST(Pooling, ABackboneGivesAsManyFeaturesAsItsPooling) {
  const auto load = [](const std::string& network, const PoolSpec& pool) {
    BackboneOptions options{.image_size = 32};
    options.pool = pool;
    return Backbone::load(test::FixtureBackbone{network, "scripted"}.file(), options);
  };
  for (const auto& name : pool_names()) {
    const std::int64_t width = name == "catavgmax" ? 64 : 32;
    Backbone backbone = load("tiny_headless", {name});
    EXPECT_EQ(backbone.num_features(), width) << name;
    EXPECT_EQ(backbone.module().forward({at::rand({2, 3, 32, 32})}).toTensor().size(1), width) << name;
  }
  EXPECT_NO_THROW(load("tiny_cnn", {}));
  try {
    load("tiny_cnn", {"gem"});
    FAIL() << "there is nothing to pool";
  } catch (const Error& error) {
    EXPECT_EQ(error.problems().front().subject, "backbone.pool");
  }
}

TEST(PoolSpec, WhatIsWrittenReadsBackTheSameAndMistakesAreNamed) {
  std::vector<Problem> problems;
  for (const auto& name : pool_names()) {
    const Json written = to_json(read(name, problems));
    EXPECT_EQ(to_json(read(written, problems)), written);
  }
  EXPECT_EQ(to_json(read("gem", problems)).dump(), R"({"gem":{"p":3.0,"eps":1e-06}})");
  EXPECT_TRUE(problems.empty());
  for (const char* bad : {R"({"gem": {"p": 0}})", R"({"gem": {"eps": 0}})", R"({"max": {"p": 3}})", R"("mean")"}) {
    problems.clear();
    read(Json::parse(bad), problems);
    EXPECT_EQ(problems.size(), 1U) << bad;
  }
}

}  // namespace
}  // namespace graft
