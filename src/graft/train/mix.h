#pragma once
#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "graft/core/json.h"
#include "graft/data/activations.h"

namespace graft {

struct Recipe;  // recipe.h includes this file

/// The recipe's data.mix, a name of the table with its options: whether a step's images are mixed with each other.
struct MixSpec {
  std::string name = "none";
  Json options = Json::object();  ///< as read: every option; by hand: some may be left out
  bool mixes() const { return name != "none"; }
  /// Whether images are mixed, not what crosses the boundary.
  bool on_images() const;
};
/// In the table's order.
const std::vector<std::string>& mix_names();
MixSpec read_mix_spec(const Json& value, const std::string& path, std::vector<Problem>& problems);
Json to_json(const MixSpec& spec);
/// What stands in the way of the recipe's data.mix: a phase that takes all images at once, images that are not computed
/// anew each step.
std::vector<Problem> mix_problems(const Recipe& recipe);

/// Rows of a step's images and of what they are mixed with, both int64 [N].
struct MixedRows {
  at::Tensor own;
  at::Tensor partners;
  double lam = 1;

  MixedRows narrow(std::int64_t begin, std::int64_t size) const;
  /// @param loss_of  the loss of the images if their targets were those of the rows given
  at::Tensor loss(const std::function<at::Tensor(const at::Tensor& rows)>& loss_of) const;
};

/// How the images of one step are mixed, each with the one before it in the batch and the first with the last: a part
/// of each value, or a rectangle. Partners, draws and rectangles are those of torchvision's MixUp and CutMix.
struct BatchMix {
  double lam = 1;  ///< how much of an image is its own, and its class's part in the loss
  std::optional<std::array<std::int64_t, 4>> box;  ///< x1, y1, x2, y2 in pixels: what comes from the partner

  bool mixes() const { return lam < 1; }
  /// float [N, ...], with `box` [N, C, H, W] -> the same, N at least two. Leaves `batch` as it is.
  at::Tensor mixed(const at::Tensor& batch) const;
  MixedRows rows(const at::Tensor& own) const;
};

/// @param seed  of the step
/// @param side  of the images, in pixels
BatchMix draw_mix(const MixSpec& spec, std::uint64_t seed, std::int64_t side);

/// How the steps of a phase mix.
struct Mixing {
  MixSpec spec;
  std::uint64_t seed = 0;  ///< of the run
  std::size_t phase = 0;
  std::int64_t side = 0;  ///< of the images, in pixels

  BatchMix at(std::int64_t step) const;
  /// Mixes the images of batches, the first of which is that of a step; empty where images stay as they are.
  BatchChange of_images(std::int64_t first_step) const;
  at::Tensor of_activations(std::int64_t step, at::Tensor activations) const;
};
Mixing mixing_of(const Recipe& recipe, std::size_t phase);

}  // namespace graft
