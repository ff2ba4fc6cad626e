#include "graft/train/mix.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>

#include "graft/core/option_table.h"
#include "graft/core/random.h"
#include "graft/train/recipe.h"

namespace graft {
namespace {

double probability(JsonReader& reader, const std::string& key, double fallback) {
  return reader.number(key, fallback, Range::between(0, 1));
}

Json mixup_options(JsonReader& reader) {
  static const std::vector<std::string> kPlaces{"images", "activations"};
  const double alpha = reader.number("alpha", 1, Range::above(0));
  return {{"alpha", alpha}, {"prob", probability(reader, "prob", 1)}, {"on", reader.choice("on", "images", kPlaces)}};
}

Json cutmix_options(JsonReader& reader) {
  const double alpha = reader.number("alpha", 1, Range::above(0));
  return {{"alpha", alpha}, {"prob", probability(reader, "prob", 1)}};
}

Json either_options(JsonReader& reader) {
  const double mixup = reader.number("mixup_alpha", 1, Range::above(0));
  const double cutmix = reader.number("cutmix_alpha", 1, Range::above(0));
  return {{"mixup_alpha", mixup},
          {"cutmix_alpha", cutmix},
          {"prob", probability(reader, "prob", 1)},
          {"switch_prob", probability(reader, "switch_prob", 0.5)}};
}

/// Draws in the order in which torchvision does, so that a seed means the same there.
class Draws {
 public:
  Draws(std::uint64_t seed, std::int64_t side) : generator_(at::detail::createCPUGenerator(seed)), side_(side) {}

  bool happens(double probability) { return probability == 1 || at::rand({}, generator_).item<double>() < probability; }

  BatchMix mixup(double alpha) { return {beta(alpha), {}}; }

  /// Yun et al. 2019: a rectangle of the image's shape about a random centre, with 1 - lam of the area before the
  /// image's edges cut it; lam is then what is left.
  BatchMix cutmix(double alpha) {
    const double half = 0.5 * std::sqrt(1 - beta(alpha)) * static_cast<double>(side_);
    const std::int64_t x = place(), y = place(), reach = static_cast<std::int64_t>(half);
    const auto inside = [&](std::int64_t at) { return std::clamp(at, std::int64_t{0}, side_); };
    const std::array<std::int64_t, 4> box{inside(x - reach), inside(y - reach), inside(x + reach), inside(y + reach)};
    const double area = static_cast<double>((box[2] - box[0]) * (box[3] - box[1]));
    return {1 - area / static_cast<double>(side_ * side_), box};
  }

 private:
  /// Of Beta(alpha, alpha), as torch.distributions draws it.
  double beta(double alpha) {
    return at::_sample_dirichlet(at::full({1, 2}, alpha, at::kFloat), generator_)[0][0].item<double>();
  }
  std::int64_t place() { return at::randint(side_, {1}, generator_, at::kLong).item<std::int64_t>(); }

  at::Generator generator_;
  std::int64_t side_;
};

BatchMix mixup(const Json& options, Draws& draws) { return draws.mixup(options.at("alpha").get<double>()); }
BatchMix cutmix(const Json& options, Draws& draws) { return draws.cutmix(options.at("alpha").get<double>()); }
BatchMix either(const Json& options, Draws& draws) {
  return draws.happens(options.at("switch_prob").get<double>()) ? draws.cutmix(options.at("cutmix_alpha").get<double>())
                                                                : draws.mixup(options.at("mixup_alpha").get<double>());
}

struct MixRow {
  std::string name;
  Json (*read_options)(JsonReader& reader) = no_options;
  BatchMix (*draw)(const Json& options, Draws& draws) = nullptr;
};

const OptionTable<MixRow>& mix_table() {
  static const OptionTable<MixRow> kTable({{"none"},
                                           {"mixup", mixup_options, mixup},
                                           {"cutmix", cutmix_options, cutmix},
                                           {"mixup_cutmix", either_options, either}});
  return kTable;
}

}  // namespace

bool MixSpec::on_images() const { return mixes() && mix_table().complete(*this).value("on", "images") == "images"; }

const std::vector<std::string>& mix_names() { return mix_table().names(); }

MixSpec read_mix_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  return mix_table().read<MixSpec>(value, path, problems);
}

Json to_json(const MixSpec& spec) { return Json{{spec.name, mix_table().complete(spec)}}; }

std::vector<Problem> mix_problems(const Recipe& recipe) {
  std::vector<Problem> problems;
  if (!recipe.mix.mixes()) return problems;
  const auto full_batch = std::ranges::find_if(recipe.phases, [](const auto& p) { return p.optimizer.full_batch(); });
  if (full_batch != recipe.phases.end())
    problems.push_back({"data.mix", "is " + recipe.mix.name + " beside " + full_batch->optimizer.name,
                        "none: it takes each image once, as it is", "other optimizers train on mixed images"});
  if (recipe.mix.on_images() && recipe.activations != "off")
    problems.push_back({"cache.activations", "is \"" + recipe.activations + "\" beside data.mix." + recipe.mix.name,
                        "\"off\": mixed images are new in every step",
                        "\"mix\": {\"mixup\": {\"on\": \"activations\"}} mixes what is kept"});
  if (recipe.mix.on_images() && recipe.diagnosis.overfit_batch)
    problems.push_back({"diagnosis.overfit_batch", "is true beside data.mix." + recipe.mix.name,
                        "false: mixed images have no class of their own", ""});
  return problems;
}

MixedRows MixedRows::narrow(std::int64_t begin, std::int64_t size) const {
  return {own.narrow(0, begin, size), partners.narrow(0, begin, size), lam};
}

at::Tensor MixedRows::loss(const std::function<at::Tensor(const at::Tensor&)>& loss_of) const {
  return lam < 1 ? lam * loss_of(own) + (1 - lam) * loss_of(partners) : loss_of(own);
}

MixedRows BatchMix::rows(const at::Tensor& own) const { return {own, own.roll(1, 0), lam}; }

at::Tensor BatchMix::mixed(const at::Tensor& batch) const {
  if (!mixes()) return batch;
  TORCH_CHECK(batch.size(0) > 1, "a batch of one has nothing to mix with");
  if (!box) return batch.roll(1, 0).mul_(1 - lam).add_(batch.mul(lam));
  const auto [x1, y1, x2, y2] = *box;
  at::Tensor result = batch.clone();
  const auto part = [&](const at::Tensor& images) { return images.narrow(2, y1, y2 - y1).narrow(3, x1, x2 - x1); };
  part(result).copy_(part(batch).roll(1, 0));
  return result;
}

BatchMix draw_mix(const MixSpec& spec, std::uint64_t seed, std::int64_t side) {
  const MixRow& row = mix_table().at(spec.name);
  if (row.draw == nullptr) return {};
  const Json options = mix_table().complete(spec);
  Draws draws(seed, side);
  return draws.happens(options.at("prob").get<double>()) ? row.draw(options, draws) : BatchMix{};
}

Mixing mixing_of(const Recipe& recipe, std::size_t phase) {
  return {recipe.mix, recipe.seed, phase, recipe.input.size};
}

BatchMix Mixing::at(std::int64_t step) const {
  return draw_mix(spec, derive_seed(seed, "mix", phase, static_cast<std::uint64_t>(step)), side);
}

BatchChange Mixing::of_images(std::int64_t first_step) const {
  if (!spec.on_images()) return {};
  return [mixing = *this, first_step](std::size_t batch, const at::Tensor& images) {
    return mixing.at(first_step + static_cast<std::int64_t>(batch)).mixed(images);
  };
}

at::Tensor Mixing::of_activations(std::int64_t step, at::Tensor activations) const {
  return spec.on_images() ? activations : at(step).mixed(activations);
}

}  // namespace graft
