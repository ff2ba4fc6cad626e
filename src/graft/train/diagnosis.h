#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "graft/train/network.h"
#include "graft/train/recipe.h"

namespace graft {

/// Looks at a few steps an epoch and tells what is wrong with a run and what to do about it: Karpathy's and CS231n's
/// checks. It changes nothing of what it looks at and draws no random numbers. What it finds goes into `record`, which
/// becomes "diagnosis" in metrics.json (docs/guide.md); what deserves a word is said, one line each.
class Diagnosis {
 public:
  /// `record` must outlive it; a resumed run hands in what was found so far.
  Diagnosis(Json& record, std::function<void(const std::string& line)> say) : record_(record), say_(std::move(say)) {}

  /// `recipe` and `network` must outlive the phase.
  void begin_phase(const Recipe& recipe, std::size_t phase, Network& network, std::int64_t classes,
                   std::int64_t steps_per_epoch);
  /// Before the first step of a run, where the recipe asks for it: whether a copy of the head can learn one batch by
  /// heart.
  void see_batch(const at::Tensor& activations, const at::Tensor& targets);
  bool wants_batch() const;
  /// The loss of a step's batch: that of the first one against ln(classes).
  void see_loss(double loss);
  /// Round the update of a step, counted from 0 within the epoch.
  void before_update(const std::vector<ParameterGroup>& groups, std::int64_t step);
  void after_update(const std::vector<ParameterGroup>& groups);
  /// What the head gets of validation images; `images_before` have been seen in this pass.
  void see_features(const at::Tensor& features, std::int64_t images_before);
  /// @param history  of the run, as history.jsonl has it
  void end_phase(const Json& history);

 private:
  bool looks() const { return recipe_->diagnosis.steps > 0; }
  Json& of_phase() { return record_["phases"][phase_]; }
  std::string place_of(const std::string& parameter) const;

  Json& record_;
  std::function<void(const std::string&)> say_;
  const Recipe* recipe_ = nullptr;
  Network* network_ = nullptr;
  std::size_t phase_ = 0;
  std::int64_t classes_ = 0;
  std::int64_t steps_per_epoch_ = 1;
  std::map<std::string, std::string> stages_;  // of parameters
  std::map<std::string, at::Tensor> before_;   // parts of weights, while a step is looked at
  std::vector<at::Tensor> useful_;             // bool [units] of each layer of the head, of the pass so far
};

}  // namespace graft
