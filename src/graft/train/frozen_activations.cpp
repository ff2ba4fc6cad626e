#include "graft/train/frozen_activations.h"

#include <torch/torch.h>

#include <algorithm>

#include "graft/core/error.h"
#include "graft/core/hash.h"
#include "graft/core/parallel.h"
#include "graft/core/runtime.h"
#include "graft/train/stopwatch.h"

namespace graft {
namespace {

std::size_t row_bytes(const Backbone& backbone, std::size_t boundary) {
  const auto sizes = backbone.crossing_sizes(boundary);
  return static_cast<std::size_t>(c10::multiply_integers(sizes)) * sizeof(float);
}

}  // namespace

FrozenPart FrozenActivations::part(std::size_t from, std::size_t to) {
  return engines_->part(*backbone_, from, to, source_.samples, source_.samples.size() * passes_);
}

void FrozenActivations::prepare(const Backbone& backbone, std::size_t boundary, std::size_t shared,
                                std::int64_t epochs) {
  backbone_ = &backbone;
  boundary_ = boundary;
  shared_ = shared;
  const auto bytes_at = [&](std::size_t at) { return source_.samples.size() * views() * row_bytes(backbone, at); };
  if (options_.keep == "off")
    keeps_ = false;
  else
    plan(bytes_at(boundary), shared == boundary ? 0 : bytes_at(shared));
  passes_ = keeps_ ? std::min(views(), static_cast<std::size_t>(epochs)) : static_cast<std::size_t>(epochs);
}

/// Where rows are kept: in memory where they fit, and on disk too where a run may leave something.
void FrozenActivations::plan(std::size_t here, std::size_t below) {
  const auto fits = [&](std::size_t bytes) { return options_.keep != "disk" && bytes <= options_.memory; };
  const bool must_be_in_memory = options_.keep == "memory";
  if (!must_be_in_memory && !fits(here + below)) below = 0;
  if (below == 0) shared_ = boundary_;
  in_memory_ = must_be_in_memory || fits(here);
  const bool worth_a_file = boundary_ > 0;  // images themselves are no work to make again
  on_disk_ = worth_a_file && !must_be_in_memory && !options_.stores.empty() && make_room(options_.stores, here + below);
  if (options_.keep == "disk" && worth_a_file && !on_disk_)
    throw Error({"cache.activations",
                 "is \"disk\", and there is no room for " + std::to_string((here >> 20) + 1) + " MB",
                 "room in '" + options_.stores.string() + "'", "\"auto\" computes them anew every epoch"});
  keeps_ = in_memory_ || on_disk_;
  planned_bytes_ = keeps_ ? here + below : 0;
}

void FrozenActivations::trained_above(std::size_t boundary) {
  std::erase_if(caches_, [&](const auto& entry) { return entry.first > boundary; });
}

ActivationCache& FrozenActivations::cache_at(std::size_t boundary) {
  auto cache = caches_.find(boundary);
  if (cache == caches_.end())
    cache = caches_
                .emplace(boundary, ActivationCache(source_.samples, backbone_->crossing_sizes(boundary),
                                                   store_at(boundary), in_memory_))
                .first;
  return cache->second;
}

/// What decides a row but the image and the view is the store's name. Images themselves are no work to make again.
std::shared_ptr<RowStore> FrozenActivations::store_at(std::size_t boundary) const {
  if (!on_disk_ || boundary == 0) return nullptr;
  const Json key{
      {"layers", backbone_->part_digest(0, boundary)},
      {"input", to_json(source_.input)},
      {"augment", source_.augmentation.empty() ? Json::array() : source_.augmentation.to_json()["transforms"]},
      {"precision", options_.precision},
      {"torch", torch_version()}};
  const Json about{{"backbone", backbone_->path().filename().string()},
                   {"boundary", backbone_->boundary_name(boundary)},
                   {"input_size", source_.input.size}};
  return std::make_shared<RowStore>(options_.stores / sha256(key.dump()), backbone_->crossing_sizes(boundary), about);
}

void FrozenActivations::ensure_view(std::uint64_t view, const FrozenProgress& progress, const std::stop_token& stop) {
  ActivationCache& cache = cache_at(boundary_);
  const bool first = !cache.holds(view);
  const auto missing = cache.missing(view);
  if (first && missing.size() < source_.samples.size())
    options_.message(c10::str("frozen layers: ", source_.samples.size() - missing.size(), " of ",
                              source_.samples.size(), " images are known from an earlier run"));
  if (missing.empty()) return;
  const Stopwatch watch;
  compute(view, progress, stop);
  if (shared_ != boundary_ && !stop.stop_requested()) compute_above(view, missing);
  filling_seconds_ += watch.seconds();
}

/// The rows that are missing at the shared boundary, from the images.
void FrozenActivations::compute(std::uint64_t view, const FrozenProgress& progress, const std::stop_token& stop) {
  ActivationCache& cache = cache_at(shared_);
  const auto missing = cache.missing(view);
  if (missing.empty()) return;
  Batches batches = batches_in_order(missing.size(), source_.batch_size);
  for (auto& batch : batches)
    for (auto& image : batch) image = missing[static_cast<std::size_t>(image)];
  std::size_t done = source_.samples.size() - missing.size();
  stream_activations(
      source_, batches, [view](const Sample& sample) { return view_seed(sample, view); }, part(0, shared_),
      [&](std::size_t i, const at::Tensor& rows) {
        cache.put(view, batches[i], rows);
        progress(done += batches[i].size(), source_.samples.size());
      },
      stop);
}

/// The rows of images at this boundary, from those at the shared one.
void FrozenActivations::compute_above(std::uint64_t view, const std::vector<std::int64_t>& images) {
  const ActivationCache& below = cache_at(shared_);
  ActivationCache& cache = cache_at(boundary_);
  const FrozenPart layers = part(shared_, boundary_);
  const auto batches = batches_in_order(images.size(), source_.batch_size);
  const auto images_of = [&](std::size_t batch) {
    std::vector<std::int64_t> chosen;
    for (const auto i : batches[batch]) chosen.push_back(images[static_cast<std::size_t>(i)]);
    return chosen;
  };
  OrderedParallel<at::Tensor>::run(
      batches.size(), source_.workers,
      [&](std::size_t batch) {
        const torch::NoGradGuard no_grad;
        return layers(below.rows(view, images_of(batch)));
      },
      [&](std::size_t batch, const at::Tensor& rows) { cache.put(view, images_of(batch), rows); });
}

void FrozenActivations::for_each_batch(const Batches& batches, std::uint64_t epoch,
                                       const std::function<void(at::Tensor, const std::vector<std::int64_t>&)>& consume,
                                       const FrozenProgress& progress, const std::stop_token& stop,
                                       const BatchChange& change) {
  if (keeps_) {
    TORCH_CHECK(!change, "what is kept is of images as they are");
    const std::uint64_t view = source_.augmentation.empty() ? 0 : epoch % options_.views;
    ensure_view(view, progress, stop);
    for (std::size_t i = 0; i < batches.size() && !stop.stop_requested(); ++i)
      consume(cache_at(boundary_).rows(view, batches[i]), batches[i]);
    return;
  }
  const auto seed_of = [&](const Sample& sample) {
    return derive_seed(options_.seed, "augment", epoch, view_seed(sample, 0));
  };
  stream_activations(
      source_, batches, seed_of, part(0, boundary_),
      [&](std::size_t i, at::Tensor rows) { consume(std::move(rows), batches[i]); }, stop, change);
}

}  // namespace graft
