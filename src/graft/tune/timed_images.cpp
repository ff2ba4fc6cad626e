#include "graft/tune/timed_images.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "graft/train/stopwatch.h"

namespace graft {
namespace {

constexpr std::int64_t kRounds = 4;  // of batches that all workers compute are timed

}  // namespace

TimedImages::TimedImages(const FrozenActivations& set, FrozenEngines& engines)
    : set_(set), engines_(engines), source_(set.source()) {
  source_.samples = some_of(set.samples(), static_cast<std::size_t>(kRounds * source_.workers * source_.batch_size));
}

ImagesCost TimedImages::in_phase(const Backbone& backbone, const Phase& phase, std::size_t boundary,
                                 std::size_t unchanged) {
  const KeepPlan& kept = set_.kept();
  const std::size_t to = kept.keeps() ? kept.shared : boundary;
  ImagesCost cost{.images = std::ssize(set_.samples()),
                  .views = kept.keeps() ? static_cast<std::int64_t>(kept.views) : 0};
  count(cost, phase, boundary, unchanged);
  const std::size_t passes = kept.keeps() ? kept.views : static_cast<std::size_t>(phase.epochs);
  cost.decode_s = decoding();
  const FrozenPart below = part(backbone, 0, to, passes, cost.from_images);
  const FrozenPart above = part(backbone, to, boundary, passes, cost.from_shared);
  rows_ = pass(below);
  cost.frozen_s = std::max(0.0, seconds_ - cost.decode_s);
  if (to < boundary) rows_ = raise(above), cost.above_s = seconds_;
  const double all_rounds = idle(set_.samples().size()) / idle(source_.samples.size());
  for (double* each : {&cost.decode_s, &cost.frozen_s, &cost.above_s}) *each *= all_rounds;
  return cost;
}

void TimedImages::trained_above(std::size_t boundary) {
  std::erase_if(known_, [&](const auto& entry) { return entry.first > boundary; });
}

/// How many times as long it takes as with workers that all have batches to the end.
double TimedImages::idle(std::size_t images) const {
  const auto workers = static_cast<std::size_t>(source_.workers);
  const std::size_t size = std::min(images, static_cast<std::size_t>(source_.batch_size));
  const std::size_t batches = (images + size - 1) / size, rounds = (batches + workers - 1) / workers;
  return static_cast<double>(rounds * workers * size) / static_cast<double>(images);
}

/// How many rows the phase computes.
void TimedImages::count(ImagesCost& cost, const Phase& phase, std::size_t boundary, std::size_t unchanged) {
  const KeepPlan& kept = set_.kept();
  if (!kept.keeps()) {
    cost.from_images = cost.images * phase.epochs;
    return;
  }
  std::map<std::size_t, std::vector<std::size_t>> stored;
  for (const std::size_t at : {kept.shared, kept.boundary})
    if (at <= unchanged && !stored.contains(at)) stored[at] = set_.stored(at);
  const auto missing = [&](std::size_t at, std::uint64_t view) -> std::int64_t {
    if (view < known_[at]) return 0;
    return cost.images - (stored.contains(at) ? static_cast<std::int64_t>(stored[at].at(view)) : 0);
  };
  for (std::uint64_t view = 0; view < kept.views; ++view) {
    const auto here = missing(kept.boundary, view);
    if (here > 0) cost.from_images += missing(kept.shared, view);
    if (kept.shared < kept.boundary) cost.from_shared += here;
  }
  if (kept.boundary < boundary) cost.from_shared = cost.images * phase.epochs;
  for (const std::size_t at : {kept.shared, kept.boundary}) known_[at] = std::max(known_[at], kept.views);
}

/// What it takes to find an engine counts where the phase computes rows.
FrozenPart TimedImages::part(const Backbone& backbone, std::size_t from, std::size_t to, std::size_t passes,
                             std::int64_t rows) {
  const Stopwatch watch;
  const double searched = engines_.searched_s();
  auto part = engines_.part(backbone, from, to, set_.samples(), set_.samples().size() * passes);
  if (rows > 0) engine_seconds_ += watch.seconds() - (engines_.searched_s() - searched);
  return part;
}

/// Seconds a row; the rows. Once before, so that nothing is done for the first time.
at::Tensor TimedImages::pass(const FrozenPart& part) {
  std::vector<at::Tensor> rows;
  for (int i = 0; i < 2; ++i) {
    rows.clear();
    const Stopwatch watch;
    stream_activations(
        source_, batches_in_order(source_.samples.size(), source_.batch_size),
        [](const Sample& sample) { return view_seed(sample, 0); }, part,
        [&](std::size_t, at::Tensor batch) { rows.push_back(std::move(batch)); });
    seconds_ = watch.seconds() / static_cast<double>(source_.samples.size());
  }
  return at::cat(rows);
}

double TimedImages::decoding() {
  if (decode_seconds_ == 0) {
    pass([](const at::Tensor& images) { return images; });
    decode_seconds_ = seconds_;
  }
  return decode_seconds_;
}

at::Tensor TimedImages::raise(const FrozenPart& part) {
  std::vector<at::Tensor> rows;
  const Stopwatch watch;
  stream_rows(
      batches_in_order(source_.samples.size(), source_.batch_size), source_.workers,
      [&](const auto& batch) { return rows_.index_select(0, at::tensor(batch)); }, part,
      [&](std::size_t, at::Tensor batch) { rows.push_back(std::move(batch)); });
  seconds_ = watch.seconds() / static_cast<double>(rows_.size(0));
  return at::cat(rows);
}

}  // namespace graft
