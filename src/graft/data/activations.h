#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <vector>

#include "graft/data/dataset.h"
#include "graft/data/row_store.h"
#include "graft/image/augment.h"
#include "graft/image/input_spec.h"

namespace graft {

/// Computes what crosses a boundary from what crosses an earlier one, or from normalised images: float [N, …] -> float
/// [N, …]. Called from several threads; leaves its input as it is.
using FrozenPart = std::function<at::Tensor(const at::Tensor&)>;

/// How images become batches.
struct ImageSource {
  Samples samples;
  InputSpec input;
  Augmentation augmentation;     ///< none for evaluation
  std::int64_t batch_size = 32;  ///< of what is kept; an order of its own comes with batches
  int workers = 1;
};

using Batches = std::vector<std::vector<std::int64_t>>;

/// Changes the normalised images [n, 3, S, S] of a batch. Called from several threads.
using BatchChange = std::function<at::Tensor(std::size_t batch, at::Tensor images)>;

/// One decoded, augmented and fitted image, uint8 [S, S, 3]. `random_seed` decides the augmentation.
at::Tensor load_image(const Sample& sample, const InputSpec& input, const Augmentation& augmentation,
                      std::uint64_t random_seed);

/// The seed of a cached view: of the image's content and the view alone, so that another run finds the same.
std::uint64_t view_seed(const Sample& sample, std::uint64_t view);

/// Computes rows [n, …] from the decoded, augmented and fitted images of a batch, uint8 [n, S, S, 3]. Called from
/// several threads.
using ImagesPart = std::function<at::Tensor(std::size_t batch, const at::Tensor& images)>;

/// Runs `part` over batches of images (indices into source.samples) and hands over the results in order on the calling
/// thread.
/// @param seed_of  gives the augmentation's seed of a sample
void stream_images(const ImageSource& source, const Batches& batches,
                   const std::function<std::uint64_t(const Sample&)>& seed_of, const ImagesPart& part,
                   const std::function<void(std::size_t batch, at::Tensor rows)>& consume,
                   const std::stop_token& stop = {});

/// The same with normalised images going in.
/// @param change  comes before `part`; may be empty
void stream_activations(const ImageSource& source, const Batches& batches,
                        const std::function<std::uint64_t(const Sample&)>& seed_of, const FrozenPart& part,
                        const std::function<void(std::size_t batch, at::Tensor activations)>& consume,
                        const std::stop_token& stop = {}, const BatchChange& change = {});

/// Runs `part` over rows that are there already, and hands over the results as stream_activations does.
/// @param rows_of  gives what goes in, [n, …] of images; called from several threads
void stream_rows(const Batches& batches, int workers,
                 const std::function<at::Tensor(const std::vector<std::int64_t>& images)>& rows_of,
                 const FrozenPart& part, const std::function<void(std::size_t batch, at::Tensor rows)>& consume,
                 const std::stop_token& stop = {});

/// 0 … count - 1 in order, cut into batches.
Batches batches_in_order(std::size_t count, std::int64_t batch_size);

/// The rows of some images that cross one boundary, by view: in memory, in a store on disk, or both.
class ActivationCache {
 public:
  /// @param form       in which rows are kept and come out
  /// @param store      of that form; may be null: then nothing outlives the cache
  /// @param in_memory  false: rows are read from the store whenever they are asked for
  ActivationCache(Samples samples, RowForm form, std::shared_ptr<RowStore> store, bool in_memory);

  /// What a row is called in a store.
  static std::string name_of(const Sample& sample, std::uint64_t view);

  /// Whether a view was asked for before.
  bool holds(std::uint64_t view) const { return views_.contains(view); }
  /// The images whose row of a view is not known; what the store has of it is taken at the first call.
  std::vector<std::int64_t> missing(std::uint64_t view);
  /// Keeps rows [n, …] of images, rounded to the form.
  void put(std::uint64_t view, const std::vector<std::int64_t>& images, const at::Tensor& rows);
  /// Rows [n, …] of images whose rows are known.
  at::Tensor rows(std::uint64_t view, const std::vector<std::int64_t>& images) const;

 private:
  struct View {
    at::Tensor rows;  // [N, …], undefined where they stay in the store
    std::vector<bool> known;
  };

  View recalled(std::uint64_t view) const;

  Samples samples_;
  RowForm form_;
  std::shared_ptr<RowStore> store_;
  bool in_memory_;
  std::map<std::uint64_t, View> views_;
};

}  // namespace graft
