#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graft/backbone/backbone.h"

namespace graft {

/// A way of computing frozen layers.
struct EngineKind {
  std::string name;
  bool onednn = false;  ///< convolutions and linear layers by oneDNN's own operators, see graph::use_onednn
  at::ScalarType type = at::kFloat;                          ///< of weights and of what flows between layers
  at::MemoryFormat layout = at::MemoryFormat::ChannelsLast;  ///< of maps and convolutions' weights

  bool is_reduced() const { return type != at::kFloat; }
  /// Whether that device computes so by instructions of its own.
  bool suits(c10::Device device) const;
};

/// Fastest first, as a rule; the last, "plain", computes the graph as it is: any network runs so.
const std::vector<EngineKind>& engine_kinds();
/// @throws Error when no engine is called so.
const EngineKind& engine_kind(const std::string& name);

/// Which engine computes a part, and how much of it stays in float32.
struct EnginePlan {
  std::string kind = "plain";
  std::size_t exact_until = 0;  ///< a reduced type starts at this boundary; roundings of the first layers weigh most

  bool operator==(const EnginePlan&) const = default;
};

/// The layers between two boundaries, compiled with the tensors that the backbone has now.
class FrozenEngine {
 public:
  /// Compiles, which runs the layers on `example`, float [n, …] crossing `from`; batches of n rows run
  /// fastest. Not to be built while another thread runs TorchScript for the first time.
  /// @throws c10::Error when the layers cannot be computed in this way
  FrozenEngine(const Backbone& backbone, std::size_t from, std::size_t to, const EnginePlan& plan,
               const at::Tensor& example);

  /// What they give for the example.
  const at::Tensor& of_example() const { return of_example_; }
  /// Float rows that cross `from`, any number of them, on any device, to float rows that cross `to`, on the CPU.
  /// Several threads may call it; it computes in the calling thread's team.
  at::Tensor operator()(const at::Tensor& rows) const;

 private:
  class Compiled;

  std::shared_ptr<const Compiled> compiled_;
  std::int64_t batch_;
  at::Tensor of_example_;
};

/// How far an engine is from the plain one.
struct EngineError {
  double error = 0;   ///< root mean square difference, in units of the largest magnitude
  double cosine = 1;  ///< the smallest similarity of a row
  bool agrees(const EngineKind& kind) const;
};

EngineError compare(const at::Tensor& found, const at::Tensor& expected);

/// What was found about one engine.
struct EngineTrial {
  EnginePlan plan{};
  EngineError error{};
  double rows_per_second = 0;            ///< 0: not timed
  std::string failure{};                 ///< why it is out of the question, "" when it is not
  std::optional<FrozenEngine> engine{};  ///< there when nothing failed
};

/// Real rows, float [n, …] crossing `from`, and what the plain engine makes of them: what the others are held against.
struct EngineExample {
  at::Tensor rows, expected;
};

EngineExample plain_example(const Backbone& backbone, std::size_t from, std::size_t to, const at::Tensor& rows);

/// Compares one engine with the plain one.
EngineTrial try_engine(const Backbone& backbone, std::size_t from, std::size_t to, const EnginePlan& plan,
                       const EngineExample& example);

struct EngineSearch {
  bool reduced = false;    ///< bfloat16, on a GPU half precision, may be used
  int timing_workers = 0;  ///< 0: the first kind that agrees is taken; else all are timed with so many threads
};

/// The best engine first. Kinds that do not suit the backbone's device are left out; one of reduced type is tried with
/// more and more of the first layers in float32 until it agrees with the plain one: error at most 2e-2, cosine at least
/// 0.999 (float32 kinds: error at most 1e-5).
std::vector<EngineTrial> find_engines(const Backbone& backbone, std::size_t from, std::size_t to,
                                      const EngineExample& example, const EngineSearch& search);

}  // namespace graft
