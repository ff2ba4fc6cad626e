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
                                                                   const LossWeights& weights) {
    std::optional<at::Tensor> of_class;
    if (weights.classes.defined()) of_class = weights.classes.to(logits.device(), at::kFloat);
    constexpr std::int64_t kIgnoreNothing = -100;
    const auto reduced = [&](std::int64_t reduction) {
      return at::cross_entropy_loss(logits.to(at::kFloat), targets, of_class, reduction, kIgnoreNothing, smoothing);
    };
    if (!weights.samples.defined()) return reduced(at::Reduction::Mean);
    const at::Tensor of_sample = weights.samples.to(logits.device(), at::kFloat);
    const at::Tensor total = of_class ? (of_sample * of_class->index_select(0, targets)).sum() : of_sample.sum();
    return (reduced(at::Reduction::None) * of_sample).sum() / total;
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
