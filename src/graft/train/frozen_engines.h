#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graft/backbone/frozen_engine.h"
#include "graft/core/json.h"
#include "graft/data/activations.h"
#include "graft/image/input_spec.h"

namespace graft {

/// Which engine is asked for: everything that decides it but the machine.
struct EngineQuery {
  std::filesystem::path backbone;  ///< file
  BackboneOptions options;
  std::size_t from = 0, to = 0;  ///< boundaries
  InputSpec input;
  std::vector<std::filesystem::path> images;  ///< real ones to compare engines on
  bool bfloat16 = true;                       ///< may be used
  int workers = 1;                            ///< threads that will compute side by side
};

/// Finds an engine where a crash of oneDNN Graph does no harm, such as in a child process, and remembers what it found.
/// With `worth_it` false it only remembers: there is too little to compute for a search to pay. Nothing when it does
/// not know.
using EngineProbe = std::function<std::optional<EnginePlan>(const EngineQuery& query, bool worth_it)>;

/// Answers a query in this process, crash or no crash: what a probe's child does. The best engine first.
std::vector<EngineTrial> answer_engine_query(const EngineQuery& query);

/// What crosses a boundary for a few of the samples, computed plainly: float [n, …], n what engines take at once.
at::Tensor example_rows(const Backbone& backbone, std::size_t boundary, const Samples& samples, const InputSpec& input);

/// The frozen parts of one backbone as functions, each compiled once.
class FrozenEngines {
 public:
  struct Options {
    InputSpec input;
    bool bfloat16 = true;
    int workers = 1;
    EngineProbe probe;                                ///< may be empty: then oneDNN Graph is not used
    std::function<void(const std::string&)> message;  ///< told what was chosen
  };

  explicit FrozenEngines(Options options) : options_(std::move(options)) {}

  /// The layers between two boundaries. `samples` are what they will compute, `rows` is how many times in all.
  FrozenPart part(const Backbone& backbone, std::size_t from, std::size_t to, const Samples& samples, std::size_t rows);
  /// Forgets engines of layers above `boundary`, after they were trained.
  void trained_above(std::size_t boundary);

  /// What was chosen, by boundaries; a run that goes on with these computes the same bits.
  Json plans() const;
  void use_plans(const Json& plans);

 private:
  using Between = std::pair<std::size_t, std::size_t>;

  FrozenEngine build(const Backbone& backbone, Between between, const Samples& samples, std::size_t rows);
  std::optional<FrozenEngine> probed(const Backbone& backbone, Between between, const Samples& samples,
                                     const at::Tensor& example, std::size_t rows);
  void say(const Backbone& backbone, Between between, const EngineTrial& trial) const;

  Options options_;
  std::map<Between, EnginePlan> plans_;
  std::map<Between, FrozenEngine> engines_;
};

}  // namespace graft
