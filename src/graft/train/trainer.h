#pragma once
#include <filesystem>
#include <memory>
#include <stop_token>
#include <vector>

#include "graft/core/trust.h"
#include "graft/train/observer.h"
#include "graft/train/recipe.h"

namespace graft {

/// What a run takes from where it runs. No part of the recipe: elsewhere the same run comes to the same, sooner or
/// later.
struct RunEnvironment {
  Trust trust = Trust::kScan;             ///< in the backbone's file
  std::filesystem::path engines{};        ///< where the engines found fastest are remembered; "" nowhere
  std::filesystem::path stores{};         ///< where frozen layers' activations outlive the run; "" nowhere
  std::filesystem::path image_indexes{};  ///< where what was found in images outlives the run; "" nowhere
  bool looks_only = false;                ///< for an estimate: makes no room in `stores`
  /// An epoch that ends sooner after the last checkpoint than this leaves none: epochs on kept features take hundredths
  /// of a second, and a checkpoint as long.
  double seconds_between_checkpoints = 1;
};

/// What a run starts from.
struct RunSpec {
  Recipe recipe;
  std::filesystem::path data;
  std::filesystem::path folder;          ///< where the run's files go
  Json backbone_facts = Json::object();  ///< of the model card: {"name", "license"}; goes into the artifact
  RunEnvironment environment{};
  std::string preset_reason{};  ///< why the recipe's preset was chosen; "" where nobody chose
};

struct RunResult {
  bool finished = false;  ///< false: stopped on request, the checkpoint is written
  Json metrics;           ///< what metrics.json holds (docs/guide.md); empty when not finished
};

/// Fine-tunes a backbone by a recipe and exports the best of the run.
class Trainer {
 public:
  explicit Trainer(RunSpec spec);
  ~Trainer();
  Trainer(Trainer&&) noexcept;
  Trainer& operator=(Trainer&&) noexcept;

  /// Goes on with a run's folder, everything taken from its checkpoint but the environment.
  /// @throws Error when the folder holds no run, or the run is finished.
  static Trainer resume(const std::filesystem::path& folder, RunEnvironment environment = {});

  /// Observers are told in the order in which they were added.
  void add_observer(std::shared_ptr<Observer> observer);

  /// Trains, exports model.pt, proves it, and measures the final figures on it. A stop is taken after the current step,
  /// with a checkpoint.
  /// @throws Error for whatever data, recipe, backbone or disk can cause.
  RunResult run(std::stop_token stop = {});

 private:
  class Run;
  explicit Trainer(std::unique_ptr<Run> run);
  std::unique_ptr<Run> run_;
};

}  // namespace graft
