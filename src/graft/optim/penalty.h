#pragma once
#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "graft/core/json.h"
#include "graft/optim/optimizer.h"

namespace graft {

/// A phase's "penalty", a name of the table with its options: what is added to the loss of each step for the weights
/// that train. l2, l1 and elasticnet as scikit-learn's SGDClassifier has them; l2_sp: Li et al. 2018.
struct PenaltySpec {
  std::string name = "none";
  Json options = Json::object();  ///< as read: every option; by hand: some may be left out
  bool penalises() const { return name != "none"; }
  bool holds_to_pretrained() const;  ///< whether it needs the weights that the backbone came with
};
/// In the table's order.
const std::vector<std::string>& penalty_names();
PenaltySpec read_penalty_spec(const Json& value, const std::string& path, std::vector<Problem>& problems);
Json to_json(const PenaltySpec& spec);

/// The penalty on the groups' parameters; like weight decay it spares groups without it, but with "biases".
class Penalty {
 public:
  /// @param pretrained  "backbone.…" as the file has them, of all parameters of that name, where the spec holds to them
  Penalty(const PenaltySpec& spec, const std::vector<ParameterGroup>& groups,
          const std::map<std::string, at::Tensor>& pretrained);

  /// A scalar with a gradient, of the parameters as they are; zero without one where none is penalised.
  at::Tensor value() const;
  /// Adds its gradient to those of the parameters.
  void add_gradient() const;

  /// A parameter, and where it is held to; undefined: zero.
  struct Weight {
    at::Tensor parameter;
    at::Tensor origin;
    bool from_backbone = false;
  };

 private:
  at::Tensor (*of_)(const Json& options, const Weight& weight);
  Json options_;
  std::vector<Weight> weights_;
};

}  // namespace graft
