#pragma once
#include <string>
#include <vector>

#include "graft/core/json.h"
#include "graft/optim/optimizer.h"

namespace graft {

/// A phase's "clip": "none", or one name of the table with its limit, {"norm": 1.0}. norm: the norm of all gradients
/// together (Pascanu et al. 2013; torch.nn.utils.clip_grad_norm_); value: each number
/// (torch.nn.utils.clip_grad_value_); adaptive: the norm of each output's gradient, as a part of that of its weights
/// (Brock et al. 2021; timm.utils.agc).
struct ClipSpec {
  std::string name = "none";
  double limit = 0;  ///< above 0; none has no limit
};
/// But for "none", in the table's order.
std::vector<std::string> clip_names();
ClipSpec read_clip_spec(const Json& value, const std::string& path, std::vector<Problem>& problems);
Json to_json(const ClipSpec& spec);

/// Brings the gradients of all groups, in place, within the limit. Parameters without a gradient are left alone.
void clip_gradients(const ClipSpec& spec, const std::vector<ParameterGroup>& groups);

}  // namespace graft
