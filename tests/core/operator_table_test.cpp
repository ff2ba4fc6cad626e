#include "graft/core/operator_table.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/runtime/operator.h>

namespace graft {
namespace {

TEST(OperatorTable, KnowsWhatComputesAndWhatDoesNot) {
  for (const char* name : {"conv2d", "relu_", "scaled_dot_product_attention", "warn", "__getitem__", "zeros", "Int"})
    EXPECT_TRUE(is_allowed_operator("aten", name)) << name;
  for (const char* name : {"save", "from_file", "manual_seed", "set_", "resize_", "wait", "_print", "set_grad_enabled",
                           "conv2d_", "", "conv2d relu"})
    EXPECT_FALSE(is_allowed_operator("aten", name)) << name;
  for (const char* name : {"Print", "PythonOp", "IgnoredPythonOp", "fork", "rpc_async", "profile", "BailOut"})
    EXPECT_FALSE(is_allowed_operator("prim", name)) << name;
  EXPECT_FALSE(is_allowed_operator("mine", "relu"));
}

/// LibTorch says of its operators what they write to; those that write to no tensor and have effects are few and known.
TEST(OperatorTable, AllowsNoOperatorThatLibTorchKnowsForItsEffects) {
  for (const auto& candidate : torch::jit::getAllOperators()) {
    const auto& schema = candidate->schema();
    const std::string name = schema.name();
    const auto colon = name.find("::");
    if (!is_allowed_operator(name.substr(0, colon), name.substr(colon + 2)) || schema.returns().size() > 0) continue;
    bool changes_an_argument = false;
    for (const auto& argument : schema.arguments())
      changes_an_argument =
          changes_an_argument || (argument.alias_info() != nullptr && argument.alias_info()->isWrite());
    const bool known = name == "aten::warn" || name == "prim::RaiseException" || name.starts_with("aten::_assert") ||
                       name.starts_with("prim::");
    EXPECT_TRUE(changes_an_argument || known) << schema;
  }
}

TEST(OperatorTable, TellsQuantisedFromQuantisationAware) {
  EXPECT_TRUE(is_quantised_operator("quantized", "linear"));
  EXPECT_TRUE(is_quantised_operator("aten", "quantize_per_tensor"));
  EXPECT_FALSE(is_quantised_operator("aten", "fake_quantize_per_tensor_affine"));
  EXPECT_TRUE(is_allowed_operator("aten", "fake_quantize_per_tensor_affine"));
  EXPECT_TRUE(is_inference_only_operator("prim", "ConstantMKLDNNTensor"));
}

}  // namespace
}  // namespace graft
