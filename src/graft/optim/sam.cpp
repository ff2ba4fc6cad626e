#include <ATen/ATen.h>

#include "graft/optim/optimizer_rules.h"

namespace graft {
namespace {

/// Another rule, whose gradient is taken where the loss is highest nearby (Foret et al. 2021); adaptive: nearby is
/// measured in parts of each weight (Kwon et al. 2021).
class Sam final : public UpdateRule {
 public:
  explicit Sam(const Json& options)
      : rho_(options.at("rho").get<double>()),
        adaptive_(options.at("adaptive").get<bool>()),
        inner_(make_inner_rule(options)) {}

  static Json read_options(JsonReader& reader) {
    Json options;
    options["rho"] = reader.number("rho", 0.05, Range::above(0));
    options["adaptive"] = reader.boolean("adaptive", false);
    read_inner_rule(reader, options, {"sam"});
    return options;
  }

  std::vector<Slot> slots() const override { return inner_->slots(); }
  bool keeps_state(const StepSettings& settings) const override { return inner_->keeps_state(settings); }
  void update(Batch& batch) const override { inner_->update(batch); }

  bool ascends() const override { return true; }
  std::vector<at::Tensor> ascent(const std::vector<at::Tensor>& parameters,
                                 const std::vector<at::Tensor>& gradients) const override {
    constexpr double kSmallestNorm = 1e-12;
    std::vector<at::Tensor> moves, norms;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      moves.push_back(adaptive_ ? parameters[i].abs() * gradients[i] : gradients[i]);
      norms.push_back(at::linalg_vector_norm(moves[i]).to(moves[0].device(), at::kDouble));
    }
    const at::Tensor scale = rho_ / (at::linalg_vector_norm(at::stack(norms)) + kSmallestNorm);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (adaptive_) moves[i] = parameters[i].abs() * moves[i];
      moves[i] = moves[i] * scale.to(moves[i].options());
    }
    return moves;
  }

 private:
  double rho_;
  bool adaptive_;
  std::unique_ptr<UpdateRule> inner_;
};

}  // namespace

OptimizerRow sam_row() { return optimizer_row<Sam>("sam"); }

}  // namespace graft
