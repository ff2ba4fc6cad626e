#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graft/backbone/frozen_engine.h"
#include "graft/core/json.h"
#include "graft/data/activations.h"
#include "graft/image/input_spec.h"
#include "graft/train/engine_verdicts.h"

namespace graft {

/// Rows from which on it saves more than it takes to compile an engine and to compare it. Counted, not timed, so that
/// equal runs choose alike.
constexpr std::size_t kWorthComparing = 100;

/// How many rows engines compute together.
std::int64_t rows_at_once(c10::Device device);

/// What crosses a boundary for a few of the samples, computed plainly: float [n, …], n what engines take at once.
at::Tensor example_rows(const Backbone& backbone, std::size_t boundary, const Samples& samples, const InputSpec& input);

/// From one boundary to another.
using Between = std::pair<std::size_t, std::size_t>;

/// What engines of one backbone's parts are compared on, computed plainly once for all of them.
using EngineExamples = std::map<Between, EngineExample>;

/// The frozen parts of one backbone as functions, each compiled once.
class FrozenEngines {
 public:
  struct Options {
    InputSpec input;
    bool reduced = true;  ///< see EngineSearch
    int workers = 1;
    std::filesystem::path verdicts;                   ///< where the fastest are remembered; "" nowhere
    std::function<void(const std::string&)> message;  ///< told what was chosen
    std::shared_ptr<EngineExamples> examples = std::make_shared<EngineExamples>();  ///< shared by a run's engines
  };

  explicit FrozenEngines(Options options);

  /// The layers between two boundaries. `samples` are what they will compute, `rows` is how many times in all.
  FrozenPart part(const Backbone& backbone, std::size_t from, std::size_t to, const Samples& samples, std::size_t rows);
  /// Forgets engines of layers above `boundary`, after they were trained.
  void trained_above(std::size_t boundary);

  const std::shared_ptr<EngineExamples>& examples() const { return options_.examples; }
  /// What was chosen, by boundaries; a run that goes on with these computes the same bits.
  Json plans() const;
  void use_plans(const Json& plans);
  /// What searches have taken whose outcome is remembered.
  double searched_s() const { return searched_s_; }

 private:
  FrozenEngine build(const Backbone& backbone, Between between, const Samples& samples, std::size_t rows);
  const EngineExample& example(const Backbone& backbone, Between between, const Samples& samples);
  EngineTrial choose(const Backbone& backbone, Between between, const EngineExample& example, std::size_t rows);
  Json question(const Backbone& backbone, Between between) const;
  void say(const Backbone& backbone, Between between, const EngineTrial& trial) const;

  Options options_;
  EngineVerdicts verdicts_;
  double searched_s_ = 0;
  std::map<Between, EnginePlan> plans_;
  std::map<Between, FrozenEngine> engines_;
};

}  // namespace graft
