#include "graft/backbone/frozen_engine.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/frozen_graph_optimizations.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "graft/backbone/freeze.h"
#include "graft/backbone/onednn_layers.h"
#include "graft/core/error.h"
#include "graft/core/names.h"
#include "graft/core/reason.h"
#include "graft/core/runtime.h"

namespace graft {
namespace {

using graph::Graph;
using graph::Node;

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr Seconds kTimed{0.6};  // for which each engine is timed, and
constexpr int kTimedCalls = 3;  // at least

/// Parts of the layers, counted from the images, that are tried in float32 before bfloat16.
constexpr double kExactParts[] = {0, 0.05, 0.1, 0.25, 0.5};

void use_bfloat16(Graph& graph) {
  for (Node* node : graph::all_nodes(graph.block())) {
    const auto value = graph::constant_tensor(node);
    if (!value || !value->is_floating_point() || value->dim() == 0) continue;
    torch::jit::WithInsertPoint at_constant(node);
    node->output()->replaceAllUsesWith(graph.insertConstant(value->to(at::kBFloat16)));
  }
}

/// Rows [n, …] filled up to `count` by repeating the last one.
at::Tensor filled_up(const at::Tensor& rows, std::int64_t count) {
  if (rows.size(0) == count) return rows;
  auto sizes = rows.sizes().vec();
  sizes[0] = count - rows.size(0);
  return at::cat({rows, rows.slice(0, rows.size(0) - 1).expand(sizes)});
}

Seconds fastest_call(const FrozenEngine& engine, const at::Tensor& rows) {
  Seconds fastest = Seconds::max();
  const auto end = Clock::now() + kTimed;
  for (int call = 0; call < kTimedCalls || Clock::now() < end; ++call) {
    const auto start = Clock::now();
    engine(rows);
    fastest = std::min(fastest, Seconds(Clock::now() - start));
  }
  return fastest;
}

/// By each worker's fastest call: what else the machine does slows the others, and the choice outlives it.
double rows_per_second(const FrozenEngine& engine, const at::Tensor& rows, int workers) {
  std::vector<Seconds> fastest(static_cast<std::size_t>(workers));
  {
    std::vector<std::jthread> threads;
    for (auto& result : fastest)
      threads.emplace_back([&] {
        const OneThreadScope one_thread;
        const c10::NoGradGuard no_grad;
        result = fastest_call(engine, rows);
      });
  }
  double sum = 0;
  for (const Seconds call : fastest) sum += static_cast<double>(rows.size(0)) / call.count();
  return sum;
}

}  // namespace

const std::vector<EngineKind>& engine_kinds() {
  static const std::vector<EngineKind> kKinds{{.name = "onednn_bf16", .onednn = true, .bfloat16 = true},
                                              {.name = "bf16", .bfloat16 = true},
                                              {.name = "onednn", .onednn = true},
                                              {.name = "channels_last"},
                                              {.name = "plain", .layout = at::MemoryFormat::Contiguous}};
  return kKinds;
}

const EngineKind& engine_kind(const std::string& name) {
  for (const auto& kind : engine_kinds())
    if (kind.name == name) return kind;
  const auto names = names_of(engine_kinds());
  throw Error({"engine '" + name + "'", "is unknown", "one of " + join(names), did_you_mean(name, names)});
}

/// A frozen graph of one type.
class FrozenEngine::Piece {
 public:
  Piece(const Backbone& backbone, std::size_t from, std::size_t to, const EngineKind& kind, const at::Tensor& example)
      : type_(kind.bfloat16 ? at::kBFloat16 : at::kFloat),
        layout_(kind.layout),
        device_(backbone.device()),
        graph_(prepared(backbone.frozen_graph(from, to, kind.layout), kind)),
        self_(graph_->inputs().size() > 1 ? c10::IValue(backbone.module()._ivalue()) : c10::IValue()) {
    if (kind.onednn) graph::use_onednn(graph_, stack(filled_up(example.slice(0, 0, 2), 2)), example.size(0));
    executor_ = torch::jit::GraphExecutor(graph_, "frozen");
  }

  /// A copy goes in: activations in place may write to their input.
  at::Tensor operator()(const at::Tensor& rows) const {
    std::unique_lock<std::mutex> state;
    if (!self_.isNone()) state = std::unique_lock(state_);
    torch::jit::Stack inputs = stack(rows);
    executor_.run(inputs);
    return inputs.back().toTensor().to(at::kFloat);
  }

 private:
  torch::jit::Stack stack(const at::Tensor& rows) const {
    const auto layout = rows.dim() == 4 ? layout_ : at::MemoryFormat::Contiguous;
    torch::jit::Stack inputs{rows.to(device_, type_, false, true, layout)};
    if (!self_.isNone()) inputs.insert(inputs.begin(), self_);
    return inputs;
  }

  static std::shared_ptr<Graph> prepared(std::shared_ptr<Graph> graph, const EngineKind& kind) {
    if (!graph->inputs()[0]->hasUses()) graph->eraseInput(0);
    if (kind.onednn || kind.bfloat16) torch::jit::OptimizeFrozenGraph(graph);
    if (kind.bfloat16) use_bfloat16(*graph);
    return graph;
  }

  at::ScalarType type_;
  at::MemoryFormat layout_;
  c10::Device device_;
  std::shared_ptr<Graph> graph_;
  c10::IValue self_;  // the module, where the network keeps attributes of its own while it runs; none elsewhere
  mutable std::mutex state_;
  mutable torch::jit::GraphExecutor executor_;
};

FrozenEngine::FrozenEngine(const Backbone& backbone, std::size_t from, std::size_t to, const EnginePlan& plan,
                           const at::Tensor& example)
    : batch_(example.size(0)) {
  const c10::NoGradGuard no_grad;
  const EngineKind& kind = engine_kind(plan.kind);
  const std::size_t exact = kind.bfloat16 ? std::clamp(plan.exact_until, from, to) : from;
  const OneThreadScope one_thread;
  at::Tensor rows = example;
  const auto add = [&](std::size_t begin, std::size_t end, const EngineKind& how) {
    if (begin >= end) return;
    pieces_.push_back(std::make_shared<const Piece>(backbone, begin, end, how, rows));
    rows = (*pieces_.back())(rows);
  };
  add(from, exact, engine_kind(kind.onednn ? "onednn" : "channels_last"));
  add(exact, to, kind);
  of_example_ = rows.cpu();
}

at::Tensor FrozenEngine::operator()(const at::Tensor& rows) const {
  const c10::NoGradGuard no_grad;
  std::vector<at::Tensor> results;
  for (std::int64_t begin = 0; begin < rows.size(0); begin += batch_) {
    const at::Tensor some = rows.slice(0, begin, begin + batch_);
    at::Tensor result = filled_up(some, batch_);
    for (const auto& piece : pieces_) result = (*piece)(result);
    results.push_back(result.slice(0, 0, some.size(0)).cpu());
  }
  return at::cat(results);
}

EngineError compare(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor left = found.flatten(1), right = expected.flatten(1);
  const double largest = right.abs().max().item<double>();
  const double difference = (left - right).square().mean().sqrt().item<double>();
  return {difference / std::max(largest, 1e-30), at::cosine_similarity(left, right).min().item<double>()};
}

bool EngineError::agrees(const EngineKind& kind) const {
  return kind.bfloat16 ? error <= 2e-2 && cosine >= 0.999 : error <= 1e-5;
}

namespace {

EngineTrial noting_failure(const EnginePlan& plan, const std::function<EngineTrial()>& tries) {
  try {
    return tries();
  } catch (const std::exception& error) {
    return {.plan = plan, .failure = reason_in(error.what())};
  }
}

at::Tensor plainly(const Backbone& backbone, std::size_t from, std::size_t to, const at::Tensor& rows) {
  return FrozenEngine(backbone, from, to, {}, rows).of_example();
}

EngineTrial compared(const Backbone& backbone, std::size_t from, std::size_t to, const EnginePlan& plan,
                     const at::Tensor& rows, const at::Tensor& expected) {
  FrozenEngine engine(backbone, from, to, plan, rows);
  EngineTrial trial{.plan = plan, .error = compare(engine.of_example(), expected)};
  if (plan.kind == "plain" || trial.error.agrees(engine_kind(plan.kind)))
    trial.engine = std::move(engine);
  else
    trial.failure = c10::str("differs: error ", trial.error.error, ", cosine ", trial.error.cosine);
  return trial;
}

/// Where bfloat16 may start behind `part` of the layers: at the end of a stage, because between a convolution and its
/// normalisation more is rounded and less is folded.
std::size_t start_behind(const Backbone& backbone, double part, std::size_t from, std::size_t to) {
  if (part == 0) return from;
  const std::size_t boundary = backbone.boundary_at(part, from, to);
  const auto stage = std::ranges::lower_bound(backbone.stages(), boundary, {}, &Stage::boundary);
  return stage != backbone.stages().end() && stage->boundary < to ? stage->boundary : boundary;
}

/// One kind with as much in float32 as it takes.
EngineTrial with_enough_float32(const Backbone& backbone, std::size_t from, std::size_t to, const EngineKind& kind,
                                const at::Tensor& rows, const at::Tensor& expected) {
  return noting_failure({.kind = kind.name}, [&] {
    EngineTrial trial;
    for (const double part : kExactParts) {
      if (part > 0 && !kind.bfloat16) break;
      const std::size_t exact = start_behind(backbone, part, from, to);
      if (part > 0 && exact == trial.plan.exact_until) continue;
      trial = compared(backbone, from, to, {kind.name, exact}, rows, expected);
      if (trial.engine) break;
    }
    return trial;
  });
}

}  // namespace

EngineTrial try_engine(const Backbone& backbone, std::size_t from, std::size_t to, const EnginePlan& plan,
                       const at::Tensor& rows) {
  return noting_failure(plan,
                        [&] { return compared(backbone, from, to, plan, rows, plainly(backbone, from, to, rows)); });
}

std::vector<EngineTrial> find_engines(const Backbone& backbone, std::size_t from, std::size_t to,
                                      const at::Tensor& rows, const EngineSearch& search) {
  const bool on_cpu = backbone.device().is_cpu();
  const at::Tensor expected = plainly(backbone, from, to, rows);
  std::vector<EngineTrial> trials;
  for (const auto& kind : engine_kinds()) {
    if (kind.onednn && !on_cpu) continue;
    if (kind.bfloat16 && !(search.bfloat16 && on_cpu && has_fast_bfloat16())) continue;
    trials.push_back(with_enough_float32(backbone, from, to, kind, rows, expected));
    EngineTrial& trial = trials.back();
    if (trial.engine && search.timing_workers > 0)
      trial.rows_per_second = rows_per_second(*trial.engine, rows, search.timing_workers);
    if (trial.engine && search.timing_workers == 0) break;
  }
  std::ranges::stable_sort(trials, [](const EngineTrial& left, const EngineTrial& right) {
    if (left.failure.empty() != right.failure.empty()) return left.failure.empty();
    return left.rows_per_second > right.rows_per_second;
  });
  return trials;
}

}  // namespace graft
