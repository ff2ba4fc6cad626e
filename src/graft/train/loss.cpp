#include "graft/train/loss.h"

#include <ATen/ATen.h>

#include "graft/core/option_table.h"

namespace graft {
namespace {

Json cross_entropy_options(JsonReader& reader) {
  Json options;
  options["label_smoothing"] =
      reader.number("label_smoothing", 0, {.low = 0, .high = 1, .low_open = false, .high_open = true});
  return options;
}

Loss cross_entropy(const Json& options) {
  return [smoothing = options.at("label_smoothing").get<double>()](const at::Tensor& logits, const at::Tensor& targets,
                                                                   const at::Tensor& class_weights) {
    std::optional<at::Tensor> weight;
    if (class_weights.defined()) weight = class_weights.to(logits.device(), at::kFloat);
    constexpr std::int64_t kIgnoreNothing = -100;
    return at::cross_entropy_loss(logits.to(at::kFloat), targets, weight, at::Reduction::Mean, kIgnoreNothing,
                                  smoothing);
  };
}

struct Row {
  std::string name;
  Json (*read_options)(JsonReader& reader);
  Loss (*make)(const Json& options);
};

const OptionTable<Row>& table() {
  static const OptionTable<Row> kTable({{"cross_entropy", cross_entropy_options, cross_entropy}});
  return kTable;
}

}  // namespace

LossSpec read_loss_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  return table().read<LossSpec>(value, path, problems);
}

Json to_json(const LossSpec& spec) { return Json{{spec.name, table().complete(spec)}}; }

Loss make_loss(const LossSpec& spec) { return table().at(spec.name).make(table().complete(spec)); }

}  // namespace graft
