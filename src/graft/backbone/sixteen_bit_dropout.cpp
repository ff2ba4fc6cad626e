#include "graft/backbone/sixteen_bit_dropout.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <torch/csrc/jit/runtime/custom_operator.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <mutex>
#include <optional>

#include "graft/backbone/graph.h"

namespace graft::graph {
namespace {

constexpr std::uint64_t kStates = 1 << 16;  // of sixteen bits
constexpr std::int64_t kNumbersADraw = 4;

const c10::Symbol kDropout = c10::Symbol::fromQualString("graft::dropout");

/// Zero in `dropped` of 2^16 cases, else `kept`.
void draw(float* to, std::int64_t count, std::uint64_t dropped, float kept) {
  auto* generator =
      at::get_generator_or_default<at::CPUGeneratorImpl>(std::nullopt, at::detail::getDefaultCPUGenerator());
  const std::lock_guard<std::mutex> lock(generator->mutex_);
  for (std::int64_t begin = 0; begin < count; begin += kNumbersADraw) {
    std::uint64_t bits = generator->random64();
    for (std::int64_t i = begin; i < std::min(count, begin + kNumbersADraw); ++i, bits >>= 16)
      to[i] = bits % kStates < dropped ? 0.0F : kept;
  }
}

at::Tensor drop_out(const at::Tensor& x, double p, bool training) {
  const auto dropped = static_cast<std::uint64_t>(std::llround(p * kStates));
  const bool short_draws = x.is_cpu() && x.scalar_type() == at::kFloat && dropped < kStates;
  if (!training || !short_draws) return at::dropout(x, p, training);
  at::Tensor mask = at::empty(x.sizes(), at::kFloat);
  draw(mask.mutable_data_ptr<float>(), mask.numel(), dropped,
       static_cast<float>(kStates) / static_cast<float>(kStates - dropped));
  return x * mask;
}

[[maybe_unused]] const torch::jit::RegisterOperators kDropoutOperator({torch::jit::Operator(
    "graft::dropout(Tensor x, float p, bool train) -> Tensor",
    [](torch::jit::Stack& stack) {
      const at::Tensor left =
          drop_out(torch::jit::peek(stack, 0, 3).toTensor(), torch::jit::peek(stack, 1, 3).toDouble(),
                   torch::jit::peek(stack, 2, 3).toBool());
      torch::jit::drop(stack, 3);
      torch::jit::push(stack, left);
    },
    c10::AliasAnalysisKind::CONSERVATIVE)});

}  // namespace

void use_sixteen_bit_dropout(const torch::jit::Module& module) {
  for (const auto& submodule : module.modules()) {
    if (!submodule.find_method("forward")) continue;
    for (Node* node : all_nodes(submodule.get_method("forward").graph()->block())) {
      if (node->kind() != c10::aten::dropout) continue;
      node->replaceWithNewSymbol(kDropout);
      node->destroy();
    }
  }
}

}  // namespace graft::graph
