#include "graft/optim/clip.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "graft/core/names.h"

namespace graft {
namespace {

using Tensors = std::vector<at::Tensor>;

/// `gradients` are those of `parameters`.
void clip_norm(const Tensors&, Tensors& gradients, double limit) {
  Tensors norms;
  for (const auto& gradient : gradients) norms.push_back(at::linalg_vector_norm(gradient).to(gradients[0].device()));
  // Torch's guard against a norm of zero; the factor stays on its device, so that nothing waits for it.
  const at::Tensor factor = (limit / (at::linalg_vector_norm(at::stack(norms)) + 1e-6)).clamp_max(1);
  for (auto& gradient : gradients) gradient.mul_(factor.to(gradient.device()));
}

void clip_value(const Tensors&, Tensors& gradients, double limit) {
  for (auto& gradient : gradients) gradient.clamp_(-limit, limit);
}

/// The norm of what belongs to each output; of a bias or a scale, the whole.
at::Tensor unit_norm(const at::Tensor& tensor) {
  if (tensor.dim() <= 1) return at::linalg_vector_norm(tensor);
  std::vector<std::int64_t> inputs(static_cast<std::size_t>(tensor.dim()) - 1);
  std::iota(inputs.begin(), inputs.end(), 1);
  return at::linalg_vector_norm(tensor, 2, inputs, /*keepdim=*/true);
}

void clip_adaptive(const Tensors& parameters, Tensors& gradients, double limit) {
  constexpr double kSmallestWeight = 1e-3, kSmallestGradient = 1e-6;  // timm's
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const at::Tensor most = unit_norm(parameters[i]).clamp_min(kSmallestWeight) * limit;
    const at::Tensor norm = unit_norm(gradients[i]);
    const at::Tensor clipped = gradients[i] * (most / norm.clamp_min(kSmallestGradient));
    gradients[i].copy_(at::where(norm < most, gradients[i], clipped));
  }
}

struct ClipRow {
  const char* name;
  void (*clip)(const Tensors& parameters, Tensors& gradients, double limit);
};
constexpr std::array<ClipRow, 3> kClipRows{{{"norm", clip_norm}, {"value", clip_value}, {"adaptive", clip_adaptive}}};

}  // namespace

std::vector<std::string> clip_names() { return names_of(kClipRows); }

ClipSpec read_clip_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  ClipSpec spec;
  const JsonForm none = JsonForm::word(spec.name);
  if (none.accepts(value)) return spec;
  if (JsonSchema* schema = JsonSchema::asked_by(value)) schema->accept({{none}}), schema->set_default(spec.name);
  const auto names = clip_names();
  const std::size_t before = problems.size();
  const bool one_key = !value.is_object() || value.size() == 1;
  const bool found =
      one_key && read_keyed(value, path, names, problems, [&](const std::string& name, JsonReader& reader) {
        spec = {name, reader.number(name, 0, Range::above(0))};
      });
  if (found) return problems.size() == before ? spec : ClipSpec{};
  const std::string unknown = value.is_object() && one_key ? value.begin().key() : "";
  problems.push_back({unknown.empty() ? path : path + "." + unknown, "is " + value.dump(),
                      "\"none\", or one of " + join(names) + " with its limit, such as {\"norm\": 1.0}",
                      did_you_mean(unknown, names)});
  return {};
}

Json to_json(const ClipSpec& spec) { return spec.name == "none" ? Json(spec.name) : Json{{spec.name, spec.limit}}; }

void clip_gradients(const ClipSpec& spec, const std::vector<ParameterGroup>& groups) {
  const at::NoGradGuard no_grad;
  Tensors parameters, gradients;
  for (const auto& group : groups)
    for (const auto& parameter : group.parameters)
      if (parameter.grad().defined()) parameters.push_back(parameter), gradients.push_back(parameter.grad());
  const auto row =
      std::find_if(kClipRows.begin(), kClipRows.end(), [&](const ClipRow& r) { return r.name == spec.name; });
  if (row != kClipRows.end() && !gradients.empty()) row->clip(parameters, gradients, spec.limit);
}

}  // namespace graft
