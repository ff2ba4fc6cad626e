#include "graft/train/frozen_engines.h"

#include <torch/types.h>

#include <algorithm>

#include "graft/image/preprocess.h"
#include "graft/train/stopwatch.h"

namespace graft {
namespace {

/// Rows from which on it saves more than it takes to time engines.
constexpr std::size_t kWorthTiming = 4000;

at::Tensor normalized(const std::vector<std::filesystem::path>& images, const InputSpec& input) {
  std::vector<at::Tensor> pixels;
  for (const auto& image : images) {
    Sample sample;
    sample.path = image.string();
    pixels.push_back(load_image(sample, input, {}, 0));
  }
  return normalize_images(at::stack(pixels), input);
}

/// Paths of `count` samples, from the start again where there are fewer.
std::vector<std::filesystem::path> paths_of(const Samples& samples, std::size_t count) {
  std::vector<std::filesystem::path> paths;
  for (std::size_t i = 0; i < count; ++i) paths.push_back(samples[i % samples.size()].path);
  return paths;
}

/// What crosses `from`, computed plainly.
at::Tensor rows_at(const Backbone& backbone, std::size_t from, const at::Tensor& images) {
  return from == 0 ? images : FrozenEngine(backbone, 0, from, {}, images).of_example();
}

}  // namespace

// On a CPU few enough that what flows between layers stays in its caches.
std::int64_t rows_at_once(c10::Device device) { return device.is_cpu() ? 8 : 64; }

at::Tensor example_rows(const Backbone& backbone, std::size_t boundary, const Samples& samples,
                        const InputSpec& input) {
  const auto paths = paths_of(samples, static_cast<std::size_t>(rows_at_once(backbone.device())));
  return rows_at(backbone, boundary, normalized(paths, input));
}

FrozenEngines::FrozenEngines(Options options) : options_(std::move(options)), verdicts_(options_.verdicts) {}

FrozenPart FrozenEngines::part(const Backbone& backbone, std::size_t from, std::size_t to, const Samples& samples,
                               std::size_t rows) {
  if (from == to) return [](const at::Tensor& same) { return same; };
  auto engine = engines_.find({from, to});
  if (engine == engines_.end())
    engine = engines_.emplace(Between{from, to}, build(backbone, {from, to}, samples, rows)).first;
  return engine->second;
}

FrozenEngine FrozenEngines::build(const Backbone& backbone, Between between, const Samples& samples, std::size_t rows) {
  const auto [from, to] = between;
  if (rows < kWorthComparing) plans_.try_emplace(between);  // plain
  if (const auto planned = plans_.find(between); planned != plans_.end())
    return FrozenEngine(backbone, from, to, planned->second, example_rows(backbone, from, samples, options_.input));
  const EngineTrial best = choose(backbone, between, example(backbone, between, samples), rows);
  say(backbone, between, best);
  plans_[between] = best.plan;
  return *best.engine;
}

const EngineExample& FrozenEngines::example(const Backbone& backbone, Between between, const Samples& samples) {
  auto known = options_.examples->find(between);
  if (known == options_.examples->end()) {
    const at::Tensor rows = example_rows(backbone, between.first, samples, options_.input);
    known = options_.examples->emplace(between, plain_example(backbone, between.first, between.second, rows)).first;
  }
  return known->second;
}

EngineTrial FrozenEngines::choose(const Backbone& backbone, Between between, const EngineExample& example,
                                  std::size_t rows) {
  const Json asked = question(backbone, between);
  if (const auto plan = verdicts_.find(asked)) {
    // It was compared on other images: on these it is compared again.
    EngineTrial known = try_engine(backbone, between.first, between.second, *plan, example);
    if (known.engine) return known;
  }
  const bool timed = rows >= kWorthTiming && backbone.device().is_cpu();
  const Stopwatch watch;
  const auto trials = find_engines(backbone, between.first, between.second, example,
                                   {.reduced = options_.reduced, .timing_workers = timed ? options_.workers : 0});
  if (timed) {
    verdicts_.keep(asked, trials);
    searched_s_ += watch.seconds();
  }
  return trials.front();
}

Json FrozenEngines::question(const Backbone& backbone, Between between) const {
  return {{"layers", backbone.part_digest(between.first, between.second)},
          {"input", to_json(options_.input)},
          {"reduced", options_.reduced},
          {"workers", options_.workers}};
}

void FrozenEngines::say(const Backbone& backbone, Between between, const EngineTrial& trial) const {
  const auto [from, to] = between;
  const std::size_t exact = trial.plan.exact_until;
  options_.message(
      c10::str("frozen layers from ", backbone.boundary_name(from), " to ", backbone.boundary_name(to), ": engine ",
               trial.plan.kind, exact > from ? ", float32 up to " + backbone.boundary_name(exact) : "",
               trial.plan.kind == "plain" ? "" : c10::str(", cosine to the plain one ", trial.error.cosine)));
}

void FrozenEngines::trained_above(std::size_t boundary) {
  const auto above = [&](const auto& entry) { return entry.first.second > boundary; };
  std::erase_if(engines_, above);
  std::erase_if(*options_.examples, above);
}

Json FrozenEngines::plans() const {
  Json plans = Json::array();
  for (const auto& [between, plan] : plans_)
    plans.push_back(
        {{"from", between.first}, {"to", between.second}, {"engine", plan.kind}, {"exact", plan.exact_until}});
  return plans;
}

void FrozenEngines::use_plans(const Json& plans) {
  for (const auto& plan : plans)
    plans_[{plan.at("from").get<std::size_t>(), plan.at("to").get<std::size_t>()}] = {
        plan.at("engine").get<std::string>(), plan.at("exact").get<std::size_t>()};
}

}  // namespace graft
