#include "graft/train/batch_statistics.h"

#include <gmock/gmock.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "graft/head/build_head.h"
#include "support/parity.h"

namespace graft {
namespace {

using test::ParityFixture;

/// A head whose linear layers have the weights of its twin in PyTorch.
torch::jit::Module head_like(const ParityFixture& reference) {
  std::vector<Problem> problems;
  const HeadSpec spec = read_head_spec(Json::parse(R"([{"batch_norm": {"momentum": 0.03}}, {"linear": 6, "bias": false},
      {"activation": "relu"}, {"batch_norm": {}}, {"linear": "classes", "bias": false}])"),
                                       "head", problems);
  torch::jit::Module head = build_head(spec, 5, 3, 0);
  const torch::NoGradGuard no_grad;
  head.attr("linear_1").toModule().attr("weight").toTensor().copy_(reference.at("linear_1.weight"));
  return head;
}

TEST(BatchStatistics, AreThoseOfUpdateBn) {
  const ParityFixture reference("train/statistics.pt");
  torch::jit::Module head = head_like(reference);
  head.train();
  std::map<std::string, at::Tensor> buffers;
  for (const auto& buffer : head.named_buffers()) buffers[buffer.name] = buffer.value;
  ASSERT_EQ(buffers.size(), 6U);
  BatchStatistics statistics(buffers, [&](const at::Tensor& batch) { head.forward({batch}); });
  for (const auto& batch : reference.at("batches").split_with_sizes({20, 20, 7})) statistics.add(batch);
  statistics.finish();
  for (const auto& [name, buffer] : buffers)
    EXPECT_LT(test::noted("average", "swa", test::relative_error(buffer, reference.at(name))), 1e-5) << name;
}

/// Dropout before a layer gives it other statistics in every pass over the same batch.
TEST(BatchStatistics, MomentumIsFoundThoughPassesDiffer) {
  const at::Tensor running_var = at::ones({4});
  float variance = 0;
  BatchStatistics statistics({{"norm.running_var", running_var}}, [&](const at::Tensor&) {
    variance += 0.5F;
    running_var.mul_(0.9).add_(at::full({4}, variance), 0.1);
  });
  const at::Tensor batch = at::zeros({2, 4});
  statistics.add(batch);
  const float first = variance;
  statistics.add(batch);
  statistics.finish();
  EXPECT_NEAR(running_var.mean().item<float>(), (first + variance) / 2, 1e-4);
}

TEST(BatchStatistics, WhatDoesNotMoveIsLeftAlone) {
  const ParityFixture reference("train/statistics.pt");
  torch::jit::Module head = head_like(reference);
  head.train();
  head.attr("batch_norm_0").toModule().eval();
  std::map<std::string, at::Tensor> buffers, before;
  for (const auto& buffer : head.named_buffers())
    buffers[buffer.name] = buffer.value, before[buffer.name] = buffer.value.clone();
  BatchStatistics statistics(buffers, [&](const at::Tensor& batch) { head.forward({batch}); });
  statistics.finish();
  for (const auto& [name, buffer] : buffers) EXPECT_TRUE(buffer.equal(before.at(name))) << name;
  statistics.add(reference.at("batches"));
  statistics.finish();
  for (const auto& [name, buffer] : buffers)
    EXPECT_EQ(buffer.equal(before.at(name)), name.starts_with("batch_norm_0")) << name;
}

}  // namespace
}  // namespace graft
