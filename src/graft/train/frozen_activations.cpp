#include "graft/train/frozen_activations.h"

#include <torch/types.h>

#include <algorithm>
#include <set>
#include <utility>

#include "graft/core/error.h"
#include "graft/core/hash.h"
#include "graft/core/runtime.h"
#include "graft/image/preprocess.h"
#include "graft/train/stopwatch.h"

namespace graft {
namespace {

/// Images in this order, cut into batches.
Batches batches_of(const std::vector<std::int64_t>& images, std::int64_t batch_size) {
  Batches batches = batches_in_order(images.size(), batch_size);
  for (auto& batch : batches)
    for (auto& image : batch) image = images[static_cast<std::size_t>(image)];
  return batches;
}

}  // namespace

FrozenPart FrozenActivations::part(std::size_t from, std::size_t to) {
  return engines_->part(*backbone_, from, to, source_.samples, source_.samples.size() * passes_);
}

bool FrozenActivations::has_room(const KeepPlan& plan) const {
  if (options_.looks_only) return true;
  std::set<std::filesystem::path> folders;
  for (const std::size_t boundary : std::set{plan.boundary, plan.shared})
    if (boundary > 0) folders.insert(store_folder(boundary));
  return make_room(options_.stores, plan.disk_bytes, folders);
}

KeepPlan FrozenActivations::decide(const std::vector<RowUse>& phases) const {
  const bool may_be_on_disk = !options_.stores.empty() && (options_.keep == "auto" || options_.keep == "disk");
  KeepQuestion question{.keep = options_.keep,
                        .images = source_.samples.size(),
                        .views = views(),
                        .phases = phases,
                        .row_bytes = [this](std::size_t at) { return row_form(at).bytes(); },
                        .memory = options_.memory,
                        .disk = may_be_on_disk ? room_for_row_stores(options_.stores) : 0};
  const KeepPlan plan = plan_keeping(question);
  if (!plan.on_disk || has_room(plan)) return plan;
  question.disk = 0;
  return plan_keeping(question);
}

void FrozenActivations::prepare(const Backbone& backbone, const std::vector<RowUse>& phases,
                                const std::optional<KeepPlan>& decided) {
  backbone_ = &backbone;
  digests_.clear();
  boundary_ = phases.front().boundary;
  keep_ = decided ? *decided : decide(phases);
  if (decided && keep_.on_disk && (options_.stores.empty() || !has_room(keep_))) keep_.on_disk = false;
  const bool must_be_on_disk = options_.keep == "disk" && boundary_ > 0;
  if ((must_be_on_disk && !keep_.on_disk) || (decided && decided->keeps() && !keep_.keeps()))
    throw Error({"cache.activations",
                 c10::str("is \"", options_.keep, "\", and there is no room for ",
                          (source_.samples.size() * keep_.views * row_form(keep_.boundary).bytes() >> 20) + 1, " MB"),
                 "room in '" + options_.stores.string() + "'",
                 decided ? "the run has kept them there so far" : "\"auto\" computes them anew every epoch"});
  passes_ = keeps() ? keep_.views : static_cast<std::size_t>(phases.front().epochs);
  computed_ = raised_ = 0;
  told_known_ = 0;
}

void FrozenActivations::trained_above(std::size_t boundary) {
  std::erase_if(caches_, [&](const auto& entry) { return entry.first > boundary; });
}

ActivationCache& FrozenActivations::cache_at(std::size_t boundary) {
  auto cache = caches_.find(boundary);
  if (cache == caches_.end())
    cache = caches_
                .emplace(boundary,
                         ActivationCache(source_.samples, row_form(boundary), store_at(boundary), keep_.in_memory))
                .first;
  return cache->second;
}

RowForm FrozenActivations::row_form(std::size_t boundary) const {
  if (boundary == 0) return {{source_.input.size, source_.input.size, 3}, at::kByte};
  RowForm form{backbone_->crossing_sizes(boundary)};
  if (form.sizes.size() > 1 && options_.precision != "fp32") form.type = at::kBFloat16;
  return form;
}

at::Tensor FrozenActivations::kept_rows(std::size_t boundary, std::uint64_t view,
                                        const std::vector<std::int64_t>& images) const {
  const at::Tensor rows = caches_.at(boundary).rows(view, images);
  return boundary == 0 ? normalize_images(rows, source_.input) : rows.to(at::kFloat);
}

const std::string& FrozenActivations::digest_below(std::size_t boundary) const {
  auto digest = digests_.find(boundary);
  if (digest == digests_.end()) digest = digests_.emplace(boundary, backbone_->part_digest(0, boundary)).first;
  return digest->second;
}

/// Named after what decides a row but the image and the view.
std::filesystem::path FrozenActivations::store_folder(std::size_t boundary) const {
  const Json key{
      {"layers", digest_below(boundary)},
      {"input", to_json(source_.input)},
      {"augment", source_.augmentation.empty() ? Json::array() : source_.augmentation.to_json()["transforms"]},
      {"precision", options_.precision},
      {"type", c10::toString(row_form(boundary).type)},
      {"torch", torch_version()}};
  return options_.stores / sha256(key.dump());
}

std::shared_ptr<RowStore> FrozenActivations::store_at(std::size_t boundary) const {
  if (!keep_.on_disk || boundary == 0) return nullptr;
  const Json about{{"backbone", backbone_->path().filename().string()},
                   {"boundary", backbone_->boundary_name(boundary)},
                   {"input_size", source_.input.size}};
  return std::make_shared<RowStore>(store_folder(boundary), row_form(boundary), about);
}

std::vector<std::size_t> FrozenActivations::stored(std::size_t boundary) const {
  std::vector<std::size_t> found(keep_.views, 0);
  if (!keep_.on_disk || boundary == 0 || !std::filesystem::exists(store_folder(boundary))) return found;
  const auto store = store_at(boundary);
  for (std::uint64_t view = 0; view < found.size(); ++view)
    for (const auto& sample : source_.samples)
      if (store->has(ActivationCache::name_of(sample, view))) ++found[view];
  return found;
}

std::optional<ImagesCost> FrozenActivations::measured() const {
  const auto below = passed_.find({0, keep_.shared}), above = passed_.find({keep_.shared, keep_.boundary});
  if (!keeps() || below == passed_.end()) return std::nullopt;
  const auto views = static_cast<std::int64_t>(keep_.views);
  return ImagesCost{.images = std::ssize(source_.samples),
                    .views = views,
                    .from_images = computed_ * views,
                    .from_shared = raised_ * views,
                    .frozen_s = below->second.each(),
                    .above_s = above == passed_.end() ? 0 : above->second.each()};
}

void FrozenActivations::ensure_view(std::uint64_t view, const FrozenProgress& progress, const std::stop_token& stop) {
  ActivationCache& cache = cache_at(keep_.boundary);
  const bool first = !cache.holds(view);
  const auto missing = cache.missing(view);
  if (first) tell_known(source_.samples.size() - missing.size());
  if (missing.empty()) return;
  const Stopwatch watch;
  compute(view, progress, stop);
  if (keep_.shared != keep_.boundary && !stop.stop_requested()) compute_above(view, missing);
  filling_seconds_ += watch.seconds();
}

/// Not of each view anew where as many are known.
void FrozenActivations::tell_known(std::size_t images) {
  if (images == 0 || images == std::exchange(told_known_, images)) return;
  options_.message(
      c10::str("frozen layers: ", images, " of ", source_.samples.size(), " images are known from an earlier run"));
}

/// The rows that are missing at the shared boundary, from the images.
void FrozenActivations::compute(std::uint64_t view, const FrozenProgress& progress, const std::stop_token& stop) {
  ActivationCache& cache = cache_at(keep_.shared);
  const auto missing = cache.missing(view);
  if (missing.empty()) return;
  const Batches batches = batches_of(missing, source_.batch_size);
  const std::size_t known = source_.samples.size() - missing.size();
  std::size_t done = known;
  const auto seed_of = [view](const Sample& sample) { return view_seed(sample, view); };
  const auto keep = [&](std::size_t i, const at::Tensor& rows) {
    cache.put(view, batches[i], rows);
    progress(done += batches[i].size(), source_.samples.size());
  };
  const auto as_they_are = [](std::size_t, const at::Tensor& images) { return images; };
  const FrozenPart layers = part(0, keep_.shared);
  const Stopwatch watch;
  if (keep_.shared == 0)
    stream_images(source_, batches, seed_of, as_they_are, keep, stop);
  else
    stream_activations(source_, batches, seed_of, layers, keep, stop);
  computed_ += note({0, keep_.shared}, done - known, watch.seconds());
}

std::int64_t FrozenActivations::note(Between between, std::size_t rows, double seconds) {
  Passed& passed = passed_[between];
  passed.rows += static_cast<std::int64_t>(rows);
  passed.seconds += seconds;
  return static_cast<std::int64_t>(rows);
}

/// The rows of images at this boundary, from those at the shared one.
void FrozenActivations::compute_above(std::uint64_t view, const std::vector<std::int64_t>& images) {
  ActivationCache& cache = cache_at(keep_.boundary);
  const FrozenPart layers = part(keep_.shared, keep_.boundary);
  const Batches batches = batches_of(images, source_.batch_size);
  const Stopwatch watch;
  stream_rows(
      batches, source_.workers, [&](const auto& batch) { return kept_rows(keep_.shared, view, batch); }, layers,
      [&](std::size_t i, const at::Tensor& rows) { cache.put(view, batches[i], rows); });
  raised_ += note({keep_.shared, keep_.boundary}, images.size(), watch.seconds());
}

/// Hands out what is kept; layers between it and the phase's boundary run anew.
void FrozenActivations::read(const Batches& batches, std::uint64_t view,
                             const std::function<void(at::Tensor, const std::vector<std::int64_t>&)>& consume,
                             const std::stop_token& stop) {
  if (keep_.boundary == boundary_) {
    for (std::size_t i = 0; i < batches.size() && !stop.stop_requested(); ++i)
      consume(kept_rows(keep_.boundary, view, batches[i]), batches[i]);
    return;
  }
  stream_rows(
      batches, source_.workers, [&](const auto& batch) { return kept_rows(keep_.boundary, view, batch); },
      part(keep_.boundary, boundary_), [&](std::size_t i, at::Tensor rows) { consume(std::move(rows), batches[i]); },
      stop);
}

void FrozenActivations::for_each_batch(const Batches& batches, std::uint64_t epoch,
                                       const std::function<void(at::Tensor, const std::vector<std::int64_t>&)>& consume,
                                       const FrozenProgress& progress, const std::stop_token& stop,
                                       const BatchChange& change) {
  if (keeps()) {
    TORCH_CHECK(!change, "what is kept is of images as they are");
    const std::uint64_t view = source_.augmentation.empty() ? 0 : epoch % options_.views;
    ensure_view(view, progress, stop);
    return read(batches, view, consume, stop);
  }
  const auto seed_of = [&](const Sample& sample) {
    return derive_seed(options_.seed, "augment", epoch, view_seed(sample, 0));
  };
  stream_activations(
      source_, batches, seed_of, part(0, boundary_),
      [&](std::size_t i, at::Tensor rows) { consume(std::move(rows), batches[i]); }, stop, change);
}

}  // namespace graft
