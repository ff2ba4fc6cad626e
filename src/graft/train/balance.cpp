#include "graft/train/balance.h"

#include <ATen/ATen.h>

#include "graft/core/option_table.h"

namespace graft {
namespace {

Json effective_options(JsonReader& reader) {
  return {{"beta", reader.number("beta", 0.999, {.low = 0, .high = 1, .high_open = true})}};
}

struct BalanceRow {
  std::string name;
  bool draws = false;
  Json (*read_options)(JsonReader& reader) = no_options;
  /// Of an image, by how many images its class has; null: all count alike.
  at::Tensor (*weight)(const at::Tensor& counts, const Json& options) = nullptr;
};

at::Tensor inverse(const at::Tensor& counts, const Json&) { return counts.reciprocal(); }

/// (1 - beta) / (1 - beta^n), one over the effective number of images (Cui et al. 2019).
at::Tensor effective(const at::Tensor& counts, const Json& options) {
  const double beta = options.at("beta").get<double>();
  return (1 - beta) / (1 - at::pow(beta, counts));
}

const OptionTable<BalanceRow>& balance_table() {
  static const OptionTable<BalanceRow> kTable(
      {{"none"},
       {.name = "loss", .weight = inverse},
       {.name = "effective", .read_options = effective_options, .weight = effective},
       {.name = "sampler", .draws = true, .weight = inverse},
       {.name = "sqrt_sampler", .draws = true, .weight = [](const at::Tensor& counts, const Json&) {
          return counts.rsqrt();
        }}});
  return kTable;
}

}  // namespace

bool BalanceSpec::draws() const { return balance_table().at(name).draws; }

const std::vector<std::string>& balance_names() { return balance_table().names(); }

BalanceSpec read_balance_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  return balance_table().read<BalanceSpec>(value, path, problems);
}

Json to_json(const BalanceSpec& spec) { return Json{{spec.name, balance_table().complete(spec)}}; }

at::Tensor class_weights(const BalanceSpec& spec, const std::vector<std::int64_t>& class_counts) {
  const auto weight = balance_table().at(spec.name).weight;
  if (weight == nullptr) return {};
  const at::Tensor counts = at::tensor(class_counts, at::kDouble);
  const at::Tensor weights = weight(counts.clamp_min(1), balance_table().complete(spec));  // a class may only validate
  return weights * (counts.sum() / (weights * counts).sum());
}

}  // namespace graft
