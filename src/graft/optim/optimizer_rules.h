#pragma once
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "graft/core/json.h"
#include "graft/optim/minimum.h"
#include "graft/optim/update_rule.h"

namespace graft {

/// A row of the table of optimizers.
struct OptimizerRow {
  std::string name;
  Json (*read_options)(JsonReader& reader);
  std::unique_ptr<UpdateRule> (*make)(const Json& options);  ///< null: no rule of single steps, see full_batch()
  /// Of those that have none.
  Minimum (*minimize)(const Json& options, const SmoothFunction& function, const at::Tensor& start,
                      const std::stop_token& stop) = nullptr;
};

template <typename Rule>
OptimizerRow optimizer_row(std::string name) {
  return {std::move(name), &Rule::read_options,
          [](const Json& options) -> std::unique_ptr<UpdateRule> { return std::make_unique<Rule>(options); }};
}

OptimizerRow sgd_row();
OptimizerRow adam_row();
OptimizerRow adamw_row();
OptimizerRow nadam_row();
OptimizerRow radam_row();
OptimizerRow adamax_row();
OptimizerRow adagrad_row();
OptimizerRow rmsprop_row();
OptimizerRow adadelta_row();
OptimizerRow lion_row();
OptimizerRow lookahead_row();
OptimizerRow sam_row();
OptimizerRow lbfgs_row();
OptimizerRow newton_cg_row();
OptimizerRow gauss_newton_row();
OptimizerRow levenberg_marquardt_row();

/// The rule alone, without parameters. @throws Error when an option is unknown or out of range.
std::unique_ptr<UpdateRule> make_update_rule(const OptimizerSpec& spec);

/// The member "optimizer" of a rule that wraps another: any that takes steps but those named in `others`.
void read_inner_rule(JsonReader& reader, Json& options, const std::vector<std::string>& others);
std::unique_ptr<UpdateRule> make_inner_rule(const Json& options);

inline constexpr double kMostIterations = 1e6;  // of those that take all images at once
inline constexpr Range kBelowOne{.low = 0, .high = 1, .high_open = true};

/// Options that several rules share, each rule with torch.optim's own default.
void read_lr(JsonReader& reader, Json& options, double fallback);
void read_betas(JsonReader& reader, Json& options, std::array<double, 2> fallback);
void read_eps(JsonReader& reader, Json& options, double fallback);
void read_weight_decay(JsonReader& reader, Json& options, double fallback);
/// "C" of those that take all images at once: a number, or "cv".
void read_strength(JsonReader& reader, Json& options);

}  // namespace graft
