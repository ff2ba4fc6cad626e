#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <vector>

#include "graft/data/dataset.h"
#include "graft/image/augment.h"
#include "graft/image/input_spec.h"

namespace graft {

/// Computes what crosses a boundary from what crosses an earlier one, or from normalised images: float [N, …] -> float
/// [N, …]. Called from several threads; leaves its input as it is.
using FrozenPart = std::function<at::Tensor(const at::Tensor&)>;

/// How images become batches.
struct ImageSource {
  std::vector<Sample> samples;
  InputSpec input;
  Augmentation augmentation;  ///< none for evaluation
  std::int64_t batch_size = 32;
  int workers = 1;
};

/// One decoded, augmented and fitted image, uint8 [S, S, 3]. `random_seed` decides the augmentation.
at::Tensor load_image(const Sample& sample, const InputSpec& input, const Augmentation& augmentation,
                      std::uint64_t random_seed);

/// The seed of a cached view: of the image's content and the view alone, so that another run finds the same.
std::uint64_t view_seed(const Sample& sample, std::uint64_t view);

/// Runs `part` over batches of images (indices into source.samples) and hands over float [n, …] results in order on the
/// calling thread.
/// @param seed_of  gives the augmentation's seed of a sample
void stream_activations(const ImageSource& source, const std::vector<std::vector<std::int64_t>>& batches,
                        const std::function<std::uint64_t(const Sample&)>& seed_of, const FrozenPart& part,
                        const std::function<void(std::size_t batch, at::Tensor activations)>& consume,
                        const std::stop_token& stop = {});

/// 0 … count - 1 in order, cut into batches.
std::vector<std::vector<std::int64_t>> batches_in_order(std::size_t count, std::int64_t batch_size);

/// All rows that cross one boundary, [N, …], one tensor a view, kept in memory.
class ActivationCache {
 public:
  bool holds(std::uint64_t view) const { return views_.contains(view); }
  const at::Tensor& view(std::uint64_t view) const { return views_.at(view); }
  /// Bytes of all views held.
  std::size_t bytes() const;

  /// Computes a view from the images.
  void fill(std::uint64_t view, const ImageSource& source, const FrozenPart& part,
            const std::function<void(std::size_t done)>& progress, const std::stop_token& stop = {});
  /// Computes a view from that of an earlier boundary.
  void fill_from(std::uint64_t view, const ActivationCache& earlier, const ImageSource& source, const FrozenPart& part);

 private:
  std::map<std::uint64_t, at::Tensor> views_;
};

}  // namespace graft
