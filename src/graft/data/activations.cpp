#include "graft/data/activations.h"

#include <torch/torch.h>

#include "graft/core/parallel.h"
#include "graft/image/decode.h"
#include "graft/image/preprocess.h"

namespace graft {
namespace {

void copy_rows(at::Tensor& into, std::int64_t offset, const at::Tensor& rows, std::size_t total) {
  if (!into.defined()) {
    auto sizes = rows.sizes().vec();
    sizes[0] = static_cast<std::int64_t>(total);
    into = at::empty(sizes, rows.options());
  }
  into.slice(0, offset, offset + rows.size(0)).copy_(rows);
}

}  // namespace

at::Tensor load_image(const Sample& sample, const InputSpec& input, const Augmentation& augmentation,
                      std::uint64_t random_seed) {
  const at::Tensor image = decode_image_file(sample.path, {.target = input.full_decode ? 0 : input.resized_side()});
  if (augmentation.empty()) return fit_image(image, input);
  RandomStream random(random_seed);
  return augmentation.apply(image, input, random);
}

std::uint64_t view_seed(const Sample& sample, std::uint64_t view) {
  return derive_seed(view, "view", std::stoull(sample.hash.substr(0, 16), nullptr, 16));
}

std::vector<std::vector<std::int64_t>> batches_in_order(std::size_t count, std::int64_t batch_size) {
  std::vector<std::vector<std::int64_t>> batches;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(count); ++i) {
    if (i % batch_size == 0) batches.emplace_back();
    batches.back().push_back(i);
  }
  return batches;
}

void stream_activations(const ImageSource& source, const std::vector<std::vector<std::int64_t>>& batches,
                        const std::function<std::uint64_t(const Sample&)>& seed_of, const FrozenPart& part,
                        const std::function<void(std::size_t, at::Tensor)>& consume, const std::stop_token& stop) {
  const auto load_batch = [&](std::size_t batch) {
    torch::NoGradGuard no_grad;
    std::vector<at::Tensor> images;
    for (const auto index : batches[batch]) {
      const auto& sample = source.samples[static_cast<std::size_t>(index)];
      images.push_back(load_image(sample, source.input, source.augmentation, seed_of(sample)));
    }
    return part(normalize_images(at::stack(images), source.input));
  };
  OrderedParallel<at::Tensor>::run(batches.size(), source.workers, load_batch, consume, stop);
}

std::size_t ActivationCache::bytes() const {
  std::size_t total = 0;
  for (const auto& [view, rows] : views_) total += rows.nbytes();
  return total;
}

void ActivationCache::fill(std::uint64_t view, const ImageSource& source, const FrozenPart& part,
                           const std::function<void(std::size_t)>& progress, const std::stop_token& stop) {
  const auto batches = batches_in_order(source.samples.size(), source.batch_size);
  at::Tensor rows;
  std::int64_t done = 0;
  stream_activations(
      source, batches, [view](const Sample& sample) { return view_seed(sample, view); }, part,
      [&](std::size_t, const at::Tensor& batch) {
        copy_rows(rows, done, batch, source.samples.size());
        done += batch.size(0);
        progress(static_cast<std::size_t>(done));
      },
      stop);
  if (done == static_cast<std::int64_t>(source.samples.size())) views_[view] = rows;
}

void ActivationCache::fill_from(std::uint64_t view, const ActivationCache& earlier, const ImageSource& source,
                                const FrozenPart& part) {
  const at::Tensor& from = earlier.view(view);
  at::Tensor rows;
  const auto batches = batches_in_order(source.samples.size(), source.batch_size);
  const auto run_batch = [&](std::size_t batch) {
    torch::NoGradGuard no_grad;
    const auto begin = batches[batch].front();
    const auto count = static_cast<std::int64_t>(batches[batch].size());
    return part(from.slice(0, begin, begin + count));
  };
  OrderedParallel<at::Tensor>::run(batches.size(), source.workers, run_batch,
                                   [&](std::size_t batch, const at::Tensor& result) {
                                     copy_rows(rows, batches[batch].front(), result, source.samples.size());
                                   });
  views_[view] = rows;
}

}  // namespace graft
