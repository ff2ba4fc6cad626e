#include "graft/data/activations.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "graft/core/error.h"
#include "graft/core/parallel.h"
#include "graft/image/decode.h"
#include "graft/image/preprocess.h"

namespace graft {

at::Tensor load_image(const Sample& sample, const InputSpec& input, const Augmentation& augmentation,
                      std::uint64_t random_seed) {
  const at::Tensor image = decode_image_file(sample.path, {.target = input.full_decode ? 0 : input.resized_side()});
  if (augmentation.empty()) return fit_image(image, input);
  RandomStream random(random_seed);
  return augmentation.apply(image, input, random);
}

std::uint64_t view_seed(const Sample& sample, std::uint64_t view) {
  return derive_seed(view, "view", sample.hash.first_bits());
}

Batches batches_in_order(std::size_t count, std::int64_t batch_size) {
  Batches batches;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(count); ++i) {
    if (i % batch_size == 0) batches.emplace_back();
    batches.back().push_back(i);
  }
  return batches;
}

void stream_images(const ImageSource& source, const Batches& batches,
                   const std::function<std::uint64_t(const Sample&)>& seed_of, const ImagesPart& part,
                   const std::function<void(std::size_t, at::Tensor)>& consume, const std::stop_token& stop) {
  const auto load_batch = [&](std::size_t batch) {
    torch::NoGradGuard no_grad;
    std::vector<at::Tensor> images;
    for (const auto index : batches[batch]) {
      const auto& sample = source.samples[static_cast<std::size_t>(index)];
      images.push_back(load_image(sample, source.input, source.augmentation, seed_of(sample)));
    }
    return part(batch, at::stack(images));
  };
  OrderedParallel<at::Tensor>::run(batches.size(), source.workers, load_batch, consume, stop);
}

void stream_activations(const ImageSource& source, const Batches& batches,
                        const std::function<std::uint64_t(const Sample&)>& seed_of, const FrozenPart& part,
                        const std::function<void(std::size_t, at::Tensor)>& consume, const std::stop_token& stop,
                        const BatchChange& change) {
  const ImagesPart normalized = [&](std::size_t batch, const at::Tensor& images) {
    at::Tensor ready = normalize_images(images, source.input);
    return part(change ? change(batch, std::move(ready)) : ready);
  };
  stream_images(source, batches, seed_of, normalized, consume, stop);
}

void stream_rows(const Batches& batches, int workers,
                 const std::function<at::Tensor(const std::vector<std::int64_t>&)>& rows_of, const FrozenPart& part,
                 const std::function<void(std::size_t, at::Tensor)>& consume, const std::stop_token& stop) {
  const auto run_batch = [&](std::size_t batch) {
    const torch::NoGradGuard no_grad;
    return part(rows_of(batches[batch]));
  };
  OrderedParallel<at::Tensor>::run(batches.size(), workers, run_batch, consume, stop);
}

ActivationCache::ActivationCache(Samples samples, RowForm form, std::shared_ptr<RowStore> store, bool in_memory)
    : samples_(std::move(samples)), form_(std::move(form)), store_(std::move(store)), in_memory_(in_memory) {
  TORCH_CHECK(store_ || in_memory_, "rows are kept somewhere");
}

std::string ActivationCache::name_of(const Sample& sample, std::uint64_t view) {
  return sample.hash.hex() + "/" + std::to_string(view);
}

ActivationCache::View ActivationCache::recalled(std::uint64_t view) const {
  View found{{}, std::vector<bool>(samples_.size(), false)};
  if (in_memory_) found.rows = form_.empty_rows(samples_.size());
  at::Tensor row = form_.empty_rows(1)[0];
  for (std::size_t i = 0; store_ && i < samples_.size(); ++i) {
    if (in_memory_) row = found.rows[static_cast<std::int64_t>(i)];
    found.known[i] = store_->find(name_of(samples_[i], view), row);
  }
  return found;
}

std::vector<std::int64_t> ActivationCache::missing(std::uint64_t view) {
  auto kept = views_.find(view);
  if (kept == views_.end()) kept = views_.emplace(view, recalled(view)).first;
  std::vector<std::int64_t> images;
  for (std::size_t i = 0; i < samples_.size(); ++i)
    if (!kept->second.known[i]) images.push_back(static_cast<std::int64_t>(i));
  return images;
}

void ActivationCache::put(std::uint64_t view, const std::vector<std::int64_t>& images, const at::Tensor& rows) {
  View& kept = views_.at(view);
  std::vector<std::string> names;
  for (const auto image : images) names.push_back(name_of(samples_[static_cast<std::size_t>(image)], view));
  const at::Tensor as_kept = rows.to(form_.type).contiguous();
  if (store_) store_->add(names, as_kept);
  if (in_memory_) kept.rows.index_copy_(0, at::tensor(images, at::kLong), as_kept);
  for (const auto image : images) kept.known[static_cast<std::size_t>(image)] = true;
}

at::Tensor ActivationCache::rows(std::uint64_t view, const std::vector<std::int64_t>& images) const {
  if (in_memory_) return views_.at(view).rows.index_select(0, at::tensor(images, at::kLong));
  at::Tensor rows = form_.empty_rows(images.size());
  for (std::size_t i = 0; i < images.size(); ++i)
    if (!store_->find(name_of(samples_[static_cast<std::size_t>(images[i])], view), rows[static_cast<std::int64_t>(i)]))
      throw Error({"activation cache", "a row was damaged on disk while it was in use", "the row that was written",
                   "start again: it is computed anew"});
  return rows;
}

}  // namespace graft
