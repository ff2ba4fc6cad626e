#include "graft/train/distillation.h"

#include <ATen/ATen.h>

#include "graft/train/loss_rows.h"

namespace graft {

DistillSpec read_distill_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  JsonReader reader(value, path, problems);
  DistillSpec spec;
  const std::string teacher = reader.string("teacher", "");
  if (teacher.empty()) reader.problem("teacher", "is missing", "the TorchScript file of a trained network");
  spec.teacher = teacher;
  spec.sha256 = reader.string("sha256", spec.sha256);
  spec.alpha = reader.number("alpha", spec.alpha, {.low = 0, .high = 1, .low_open = true});
  spec.temperature = reader.number("temperature", spec.temperature, Range::above(0));
  reader.finish();
  return spec;
}

Json to_json(const DistillSpec& spec, const std::filesystem::path& base) {
  return {{"teacher", std::filesystem::proximate(spec.teacher, base).generic_string()},
          {"sha256", spec.sha256},
          {"alpha", spec.alpha},
          {"temperature", spec.temperature}};
}

at::Tensor distillation_loss(const at::Tensor& student, const at::Tensor& teacher, double temperature,
                             const at::Tensor& targets, const LossWeights& weights) {
  const at::Tensor wide = widened(student);
  const at::Tensor of_student = at::log_softmax(wide / temperature, 1);
  const at::Tensor of_teacher = at::log_softmax(teacher.to(wide.options()) / temperature, 1);
  const at::Tensor each = at::kl_div(of_student, of_teacher, at::Reduction::None, /*log_target=*/true).sum(1);
  return temperature * temperature * weighted_mean(each, targets, weights);
}

at::Tensor Distillation::added_to(const at::Tensor& loss, const at::Tensor& logits, const at::Tensor& rows,
                                  const at::Tensor& targets, const LossWeights& weights) const {
  if (!teacher.defined()) return loss;
  return (1 - alpha) * loss +
         alpha * distillation_loss(logits, teacher.index_select(0, rows), temperature, targets, weights);
}

}  // namespace graft
