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

/// A layer of maps, and what is done to its result before it is written.
struct OneDnnStep {
  using Sizes = std::vector<std::int64_t>;
  enum class Kind { kConvolution, kMaxPool, kAveragePool, kPaddedAveragePool };  ///< the last counts its padding

  Kind kind = Kind::kConvolution;
  std::size_t input = 0;               ///< the value that it reads
  std::optional<std::size_t> added{};  ///< a value of the result's sizes that is added to a convolution's result
  std::int64_t outputs = 0;            ///< channels
  std::int64_t groups = 1;
  Sizes kernel{}, stride{}, dilation{1, 1};  ///< down, across
  Sizes padding{}, padding_behind{};         ///< at the top and on the left, at the bottom and on the right
  const void* weight = nullptr;  ///< [outputs, inputs / groups, height, width], dense, of the type that flows
  const float* bias = nullptr;   ///< [outputs]; null where there is none
  Pointwise pointwise{};         ///< comes last
};

/// What a step gives for an input [n, channels, height, width].
OneDnnStep::Sizes result_sizes(const OneDnnStep& step, const OneDnnStep::Sizes& input);

enum class OneDnnType { kFloat, kBfloat16 };

/// Layers that oneDNN computes one after the other, without LibTorch in between: on a few rows at a time, as many
/// as keep what flows from one to the next in the processor's cache. Values are numbered: the program's inputs first,
/// then the result of each step. Knows nothing of LibTorch, which carries a oneDNN of its own and its headers.
class OneDnnProgram {
 public:
  using Sizes = OneDnnStep::Sizes;

  /// How many of `rows` to compute at once, a divisor of them: so many that what a step reads and writes fits the
  /// cache.
  static std::int64_t rows_at_once(std::size_t bytes_a_row, std::int64_t rows);

  /// Packs the weights and compiles.
  /// @param inputs  sizes [n, channels, height, width] of what goes in, the same n in all
  /// @param outputs  the results that it gives
  /// @param type  of what flows
  /// @throws std::exception (dnnl::error) where oneDNN cannot compute a step
  OneDnnProgram(const std::vector<OneDnnStep>& steps, const std::vector<Sizes>& inputs,
                const std::vector<std::size_t>& outputs, OneDnnType type);

  /// Sizes of what it gives.
  const std::vector<Sizes>& output_sizes() const;

  /// All maps are dense and channels_last, of the sizes and the type that it was made for. Several threads may call it;
  /// each computes in its own team.
  void run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs) const;

 private:
  class Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace graft
