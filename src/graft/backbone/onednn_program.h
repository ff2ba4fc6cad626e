#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace graft {

/// What oneDNN does to each number of a result before it is written, by the names of LibTorch's own oneDNN operators.
struct Pointwise {
  std::string name = "none";
  std::vector<double> scalars{};
  std::string algorithm{};  ///< of a gelu: "none" or "tanh"
};

enum class OneDnnType { kFloat, kBfloat16 };

/// A layer of maps, and what is done to its result before it is written.
struct OneDnnStep {
  using Sizes = std::vector<std::int64_t>;
  /// kConversion is to the other type; kPaddedAveragePool counts its padding.
  enum class Kind { kConversion, kConvolution, kMaxPool, kAveragePool, kPaddedAveragePool };

  Kind kind = Kind::kConvolution;
  std::size_t input = 0;               ///< the value that it reads
  std::optional<std::size_t> added{};  ///< a value of the result's sizes that is added to a convolution's result
  std::int64_t outputs = 0;            ///< channels
  std::int64_t groups = 1;
  Sizes kernel{}, stride{}, dilation{1, 1};  ///< down, across
  Sizes padding{}, padding_behind{};         ///< at the top and on the left, at the bottom and on the right
  const void* weight = nullptr;              ///< [outputs, inputs / groups, height, width], dense, of the input's type
  const float* bias = nullptr;               ///< [outputs]; null where there is none
  Pointwise pointwise{};                     ///< comes last
};

/// Maps [n, channels, height, width].
struct OneDnnMaps {
  OneDnnStep::Sizes sizes;
  OneDnnType type;
};

/// What a step gives.
OneDnnMaps result_of(const OneDnnStep& step, const OneDnnMaps& input);

/// Whether oneDNN has more than a plain loop for a step.
bool is_fast(const OneDnnStep& step, const OneDnnMaps& input);

/// Layers that oneDNN computes one after the other, without LibTorch in between: on a few rows at a time, as many
/// as keep what flows from one to the next in the processor's cache. Values are numbered: the program's inputs first,
/// then the result of each step. Knows nothing of LibTorch, which carries a oneDNN of its own and its headers.
class OneDnnProgram {
 public:
  /// How many rows of a step to compute at once, a divisor of all: so many that what it reads and writes fits the
  /// cache.
  static std::int64_t rows_at_once(const OneDnnMaps& input, const OneDnnMaps& result);

  /// Packs the weights and compiles.
  /// @param inputs  what goes in, equally many rows of all
  /// @param outputs  the results that it gives
  /// @throws std::exception (dnnl::error) where oneDNN cannot compute a step, or not fast
  OneDnnProgram(const std::vector<OneDnnStep>& steps, const std::vector<OneDnnMaps>& inputs,
                const std::vector<std::size_t>& outputs);

  /// What it gives.
  const std::vector<OneDnnMaps>& outputs() const;

  /// All maps are dense and channels_last, of the sizes and the type that it was made for. Several threads may call it;
  /// each computes in its own team.
  void run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs) const;

 private:
  class Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace graft
