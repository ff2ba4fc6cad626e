#include "graft/backbone/frozen_engine.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
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

/// Parts of the layers, counted from the images, that are tried in float32 before a reduced type.
constexpr double kExactParts[] = {0, 0.025, 0.05, 0.1, 0.25, 0.5};

void use_type(Graph& graph, at::ScalarType type) {
  for (Node* node : graph::all_nodes(graph.block())) {
    const auto value = graph::constant_tensor(node);
    if (!value || !value->is_floating_point() || value->dim() == 0) continue;
    torch::jit::WithInsertPoint at_constant(node);
    node->output()->replaceAllUsesWith(graph.insertConstant(value->to(type)));
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
  static const std::vector<EngineKind> kKinds{{.name = "onednn_bf16", .onednn = true, .type = at::kBFloat16},
                                              {.name = "bf16", .type = at::kBFloat16},
                                              {.name = "fp16", .type = at::kHalf},
                                              {.name = "onednn", .onednn = true},
                                              {.name = "channels_last"},
                                              {.name = "plain", .layout = at::MemoryFormat::Contiguous}};
  return kKinds;
}

bool EngineKind::suits(c10::Device device) const {
  if (type == at::kHalf) return device.is_cuda();
  if (type == at::kBFloat16 && !has_fast_bfloat16()) return false;
  return device.is_cpu() || !(onednn || is_reduced());
}

const EngineKind& engine_kind(const std::string& name) {
  for (const auto& kind : engine_kinds())
    if (kind.name == name) return kind;
  const auto names = names_of(engine_kinds());
  throw Error({"engine '" + name + "'", "is unknown", "one of " + join(names), did_you_mean(name, names)});
}

namespace {

std::shared_ptr<Graph> optimised(const Backbone& backbone, std::size_t from, std::size_t to, const EngineKind& kind) {
  auto graph = backbone.frozen_graph(from, to, kind.layout);
  if (kind.onednn || kind.is_reduced()) torch::jit::OptimizeFrozenGraph(graph);
  return graph;
}

/// Layers `from` to `to`, in the kind's type from `exact_until` on, of float rows.
std::shared_ptr<Graph> planned(const Backbone& backbone, std::size_t from, std::size_t exact_until, std::size_t to,
                               const EngineKind& kind) {
  if (exact_until >= to || !kind.is_reduced()) return optimised(backbone, from, to, kind);
  auto graph = optimised(backbone, exact_until, to, kind);
  use_type(*graph, kind.type);
  graph::Value* rows = graph->inputs().back();
  torch::jit::WithInsertPoint first(*graph->nodes().begin());
  graph::Value* rounded = graph->insert(c10::aten::to, {rows, kind.type});
  rows->replaceAllUsesAfterNodeWith(rounded->node(), rounded);
  if (exact_until <= from) return graph;
  auto whole = optimised(backbone, from, exact_until, kind);
  torch::jit::WithInsertPoint last(whole->return_node());
  graph::Value* exact = whole->outputs()[0];
  graph::Value* result = torch::jit::insertGraph(*whole, *graph, {whole->inputs()[0], exact})[0];
  whole->eraseOutput(0);
  whole->registerOutput(result);
  return whole;
}

}  // namespace

/// The layers' graph, ready to run.
class FrozenEngine::Compiled {
 public:
  Compiled(const Backbone& backbone, std::size_t from, std::size_t exact_until, std::size_t to, const EngineKind& kind,
           const at::Tensor& example)
      : layout_(kind.layout), device_(backbone.device()), graph_(planned(backbone, from, exact_until, to, kind)) {
    if (graph_->inputs()[0]->hasUses())
      self_ = backbone.module()._ivalue();
    else
      graph_->eraseInput(0);
    writes_to_rows_ = torch::jit::AliasDb(graph_).hasWriters(graph_->inputs().back());
    if (kind.onednn) graph::use_onednn(graph_, stack(filled_up(example.slice(0, 0, 2), 2)), example.size(0));
    executor_ = torch::jit::GraphExecutor(graph_, "frozen");
  }

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
    torch::jit::Stack inputs{rows.to(device_, at::kFloat, false, writes_to_rows_, layout)};
    if (!self_.isNone()) inputs.insert(inputs.begin(), self_);
    return inputs;
  }

  at::MemoryFormat layout_;
  c10::Device device_;
  std::shared_ptr<Graph> graph_;
  bool writes_to_rows_ = false;  // activations in place may
  c10::IValue self_{};  // the module, where the network keeps attributes of its own while it runs; none elsewhere
  mutable std::mutex state_{};
  mutable torch::jit::GraphExecutor executor_{};
};

FrozenEngine::FrozenEngine(const Backbone& backbone, std::size_t from, std::size_t to, const EnginePlan& plan,
                           const at::Tensor& example)
    : batch_(example.size(0)) {
  const c10::NoGradGuard no_grad;
  compiled_ = std::make_shared<const Compiled>(backbone, from, plan.exact_until, to, engine_kind(plan.kind), example);
  std::optional<OneThreadScope> one_thread;  // as an engine runs; the plain one is here to be compared with
  if (plan.kind != "plain") one_thread.emplace();
  of_example_ = (*compiled_)(example).cpu();
}

at::Tensor FrozenEngine::operator()(const at::Tensor& rows) const {
  const c10::NoGradGuard no_grad;
  std::vector<at::Tensor> results;
  for (std::int64_t begin = 0; begin < rows.size(0); begin += batch_) {
    const at::Tensor some = rows.slice(0, begin, begin + batch_);
    results.push_back((*compiled_)(filled_up(some, batch_)).slice(0, 0, some.size(0)).cpu());
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
  return kind.is_reduced() ? error <= 2e-2 && cosine >= 0.999 : error <= 1e-5;
}

namespace {

EngineTrial noting_failure(const EnginePlan& plan, const std::function<EngineTrial()>& tries) {
  try {
    return tries();
  } catch (const std::exception& error) {
    return {.plan = plan, .failure = reason_in(error.what())};
  }
}

EngineTrial compared(const Backbone& backbone, std::size_t from, std::size_t to, const EnginePlan& plan,
                     const EngineExample& example) {
  FrozenEngine engine(backbone, from, to, plan, example.rows);
  EngineTrial trial{.plan = plan, .error = compare(engine.of_example(), example.expected)};
  if (plan.kind == "plain" || trial.error.agrees(engine_kind(plan.kind)))
    trial.engine = std::move(engine);
  else
    trial.failure = c10::str("differs: error ", trial.error.error, ", cosine ", trial.error.cosine);
  return trial;
}

/// One kind with as much in float32 as it takes.
EngineTrial with_enough_float32(const Backbone& backbone, std::size_t from, std::size_t to, const EngineKind& kind,
                                const EngineExample& example) {
  return noting_failure({.kind = kind.name}, [&] {
    EngineTrial trial;
    for (const double part : kExactParts) {
      if (part > 0 && !kind.is_reduced()) break;
      const std::size_t exact = part == 0 ? from : backbone.boundary_at(part, from, to);
      if (part > 0 && exact == trial.plan.exact_until) continue;
      trial = compared(backbone, from, to, {kind.name, exact}, example);
      if (trial.engine) break;
    }
    return trial;
  });
}

}  // namespace

EngineExample plain_example(const Backbone& backbone, std::size_t from, std::size_t to, const at::Tensor& rows) {
  return {rows, FrozenEngine(backbone, from, to, {}, rows).of_example()};
}

EngineTrial try_engine(const Backbone& backbone, std::size_t from, std::size_t to, const EnginePlan& plan,
                       const EngineExample& example) {
  return noting_failure(plan, [&] { return compared(backbone, from, to, plan, example); });
}

std::vector<EngineTrial> find_engines(const Backbone& backbone, std::size_t from, std::size_t to,
                                      const EngineExample& example, const EngineSearch& search) {
  std::vector<EngineTrial> trials;
  for (const auto& kind : engine_kinds()) {
    if (!kind.suits(backbone.device()) || (kind.is_reduced() && !search.reduced)) continue;
    trials.push_back(with_enough_float32(backbone, from, to, kind, example));
    EngineTrial& trial = trials.back();
    if (trial.engine && search.timing_workers > 0)
      trial.rows_per_second = rows_per_second(*trial.engine, example.rows, search.timing_workers);
    if (trial.engine && search.timing_workers == 0) break;
  }
  std::ranges::stable_sort(trials, [](const EngineTrial& left, const EngineTrial& right) {
    if (left.failure.empty() != right.failure.empty()) return left.failure.empty();
    return left.rows_per_second > right.rows_per_second;
  });
  return trials;
}

}  // namespace graft
