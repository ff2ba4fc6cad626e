#include "graft/train/frozen_activations.h"

#include <torch/torch.h>

#include <algorithm>

#include "graft/train/stopwatch.h"

namespace graft {
namespace {

/// A frozen module as a function that several threads may call, fed channels_last where it runs; what it gives comes
/// back to the CPU.
FrozenPart as_function(torch::jit::Module module, c10::Device device) {
  return [module, device](const at::Tensor& rows) mutable {
    torch::NoGradGuard no_grad;
    const at::Tensor input = rows.to(device);
    const bool map = rows.dim() == 4;
    return module.forward({map ? input.contiguous(at::MemoryFormat::ChannelsLast) : input})
        .toTensor()
        .to(at::kFloat)
        .cpu();
  };
}

std::size_t row_bytes(const FrozenPart& part, int image_size) {
  return part(torch::zeros({1, 3, image_size, image_size})).nbytes();
}

}  // namespace

FrozenPart FrozenActivations::part(std::size_t from, std::size_t to) const {
  if (from == to) return [](const at::Tensor& rows) { return rows; };
  return as_function(backbone_->frozen_part(from, to), backbone_->device());
}

void FrozenActivations::prepare(const Backbone& backbone, std::size_t boundary, std::size_t shared) {
  backbone_ = &backbone;
  boundary_ = boundary;
  const std::size_t views = source_.augmentation.empty() ? 1 : options_.views;
  const auto bytes_at = [&](std::size_t at) {
    return source_.samples.size() * views * row_bytes(part(0, at), backbone.image_size());
  };
  const std::size_t here = options_.keep == "off" ? 0 : bytes_at(boundary);
  const std::size_t below = options_.keep == "off" || shared == boundary ? 0 : bytes_at(shared);
  keeps_ = options_.keep == "memory" || (options_.keep == "auto" && here <= options_.memory);
  shared_ = options_.keep == "memory" || here + below <= options_.memory ? shared : boundary;
  planned_bytes_ = !keeps_ ? 0 : here + (shared_ == boundary ? 0 : below);
}

void FrozenActivations::trained_above(std::size_t boundary) {
  std::erase_if(caches_, [&](const auto& entry) { return entry.first > boundary; });
}

void FrozenActivations::ensure_view(std::uint64_t view, const std::function<void(std::size_t, std::size_t)>& progress,
                                    const std::stop_token& stop) {
  const auto report = [&](std::size_t done) { progress(done, source_.samples.size()); };
  if (caches_[boundary_].holds(view)) return;
  const Stopwatch watch;
  if (!caches_[shared_].holds(view)) caches_[shared_].fill(view, source_, part(0, shared_), report, stop);
  if (shared_ != boundary_ && caches_[shared_].holds(view))
    caches_[boundary_].fill_from(view, caches_[shared_], source_, part(shared_, boundary_));
  filling_seconds_ += watch.seconds();
}

void FrozenActivations::for_each_batch(const std::vector<std::vector<std::int64_t>>& batches, std::uint64_t epoch,
                                       const std::function<void(at::Tensor, const std::vector<std::int64_t>&)>& consume,
                                       const std::function<void(std::size_t, std::size_t)>& progress,
                                       const std::stop_token& stop) {
  if (keeps_) {
    const std::uint64_t view = source_.augmentation.empty() ? 0 : epoch % options_.views;
    ensure_view(view, progress, stop);
    for (std::size_t i = 0; i < batches.size() && !stop.stop_requested(); ++i)
      consume(caches_.at(boundary_).view(view).index_select(0, torch::tensor(batches[i])), batches[i]);
    return;
  }
  const auto seed_of = [&](const Sample& sample) {
    return derive_seed(options_.seed, "augment", epoch, view_seed(sample, 0));
  };
  stream_activations(
      source_, batches, seed_of, part(0, boundary_),
      [&](std::size_t i, at::Tensor rows) { consume(std::move(rows), batches[i]); }, stop);
}

}  // namespace graft
