#include "graft/train/transform_audit.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "graft/artifact/metadata.h"
#include "graft/core/error.h"
#include "graft/core/parallel.h"
#include "graft/core/short_count.h"
#include "graft/data/activations.h"
#include "graft/image/augment.h"
#include "graft/image/png_file.h"
#include "graft/train/evaluate.h"

namespace graft {
namespace {

constexpr double kHarmfulShare = 0.1;
constexpr std::int64_t kHarmfulPhotos = 3;
constexpr std::size_t kPhotosOfASheet = 12;
constexpr std::int64_t kPairsOfARow = 3;
const Json kNeutral{{"jpeg", {{"quality", 75}}}};

Augmentation alone(const Json& transform, const InputSpec& input) {
  return Augmentation::read(Json{{"transforms", Json::array({transform})}}, input);
}

at::Tensor seen(const Sample& sample, const InputSpec& input, const Augmentation& augmentation) {
  return load_image(sample, input, augmentation, view_seed(sample, 0));
}

/// What a model takes photos for: class [N] and its probability [N].
struct ClassAnswers {
  at::Tensor classes, probabilities;
};

ClassAnswers answers(const Predictor& predictor, const Samples& samples, const Augmentation& augmentation, int workers,
                     const std::function<void(std::size_t)>& progress) {
  const auto batches = batches_in_order(samples.size(), static_cast<std::int64_t>(predictor.batch_size()));
  std::vector<at::Tensor> rows;
  OrderedParallel<at::Tensor>::run(
      batches.size(), workers,
      [&](std::size_t batch) {
        std::vector<at::Tensor> images;
        for (const auto i : batches[batch])
          images.push_back(seen(samples[static_cast<std::size_t>(i)], predictor.metadata().input, augmentation));
        return predictor.probabilities(at::stack(images).unsqueeze(1));
      },
      [&](std::size_t batch, const at::Tensor& probabilities) {
        rows.push_back(probabilities);
        progress(batches[batch].size());
      });
  const auto [probability, index] = at::cat(rows).max(1);
  return {index, probability};
}

/// int64 [C, C] of photos that are right as they are: their class by what they are taken for.
at::Tensor confusion_counts(const at::Tensor& labels, const at::Tensor& plain, const at::Tensor& found,
                            std::int64_t classes) {
  const at::Tensor right = plain.eq(labels).nonzero().squeeze(1);
  const at::Tensor place = labels.index_select(0, right) * classes + found.index_select(0, right);
  return at::bincount(place, {}, classes * classes).reshape({classes, classes});
}

std::vector<Confusion> confusions_of(const at::Tensor& counts, const at::Tensor& baseline) {
  const auto found = counts.accessor<std::int64_t, 2>(), neutral = baseline.accessor<std::int64_t, 2>();
  const at::Tensor totals = counts.sum(1);
  const auto total = totals.accessor<std::int64_t, 1>();
  std::vector<Confusion> confusions;
  for (std::int64_t a = 0; a < counts.size(0); ++a)
    for (std::int64_t b = 0; b < counts.size(0); ++b) {
      if (a == b || found[a][b] == 0) continue;
      const auto share = [&](std::int64_t photos) {
        return static_cast<double>(photos) / static_cast<double>(total[a]);
      };
      confusions.push_back({a, b, found[a][b], share(found[a][b]), share(neutral[a][b])});
    }
  std::ranges::stable_sort(confusions, std::greater{}, [](const Confusion& c) { return c.share - c.baseline; });
  return confusions;
}

std::vector<ConfusedPhoto> confused_photos(const at::Tensor& labels, const at::Tensor& plain,
                                           const ClassAnswers& found) {
  std::vector<ConfusedPhoto> photos;
  for (std::int64_t i = 0; i < labels.size(0); ++i) {
    const auto label = labels[i].item<std::int64_t>(), as = found.classes[i].item<std::int64_t>();
    if (plain[i].item<std::int64_t>() == label && as != label)
      photos.push_back({static_cast<std::size_t>(i), as, found.probabilities[i].item<double>()});
  }
  std::ranges::stable_sort(photos, std::greater{}, &ConfusedPhoto::probability);
  return photos;
}

}  // namespace

bool TransformAudit::harmful() const {
  return std::ranges::any_of(confusions, [](const Confusion& c) {
    return c.share - c.baseline >= kHarmfulShare && c.photos >= kHarmfulPhotos;
  });
}

std::vector<Json> planned_transforms(const Json& augment, const InputSpec& input) {
  const Json transforms = Augmentation::read(augment, input).to_json()["transforms"];
  if (transforms.empty())
    throw Error({"data.augment.transforms", "are none", "transforms to look at",
                 "--recipe FILE or --preset finetune names some"});
  std::vector<Json> planned;
  for (Json transform : transforms) {
    Json& options = transform.begin().value();
    if (options.contains("p")) options["p"] = 1;
    planned.push_back(transform);
  }
  return planned;
}

std::vector<TransformAudit> audit_transforms(const Predictor& predictor, const Samples& samples,
                                             const std::vector<Json>& transforms, int workers,
                                             const std::function<void(std::size_t, std::size_t)>& progress) {
  const InputSpec& input = predictor.metadata().input;
  const auto classes = static_cast<std::int64_t>(predictor.classes().size());
  std::size_t done = 0;
  const auto ask = [&](const Augmentation& augmentation) {
    return answers(predictor, samples, augmentation, workers, [&](std::size_t photos) {
      if (progress) progress(done += photos, samples.size() * (transforms.size() + 2));
    });
  };
  const at::Tensor labels = labels_of(samples), plain = ask({}).classes;
  const at::Tensor baseline = confusion_counts(labels, plain, ask(alone(kNeutral, input)).classes, classes);
  std::vector<TransformAudit> audits;
  for (const Json& transform : transforms) {
    const ClassAnswers found = ask(alone(transform, input));
    audits.push_back({transform, confusions_of(confusion_counts(labels, plain, found.classes, classes), baseline),
                      confused_photos(labels, plain, found)});
  }
  return audits;
}

Finding finding_of(const TransformAudit& audit, const Samples& samples, const std::vector<std::string>& classes) {
  Finding finding{"transform", audit.harmful() ? Severity::kHarm : Severity::kNote, audit.name() + ": ", "", {}};
  if (audit.confusions.empty()) {
    finding.text += "no class looks like another";
    return finding;
  }
  const Confusion& worst = audit.confusions.front();
  const auto name = [&](std::int64_t index) { return "'" + classes[static_cast<std::size_t>(index)] + "'"; };
  finding.text += (audit.harmful() ? "" : "at most ") + whole_percent(worst.share) + " of " + name(worst.label) +
                  " look like " + name(worst.as) + " (JPEG alone: " + whole_percent(worst.baseline) + ")";
  if (!audit.harmful()) return finding;
  finding.hint = "leave it out, or make it weaker";
  for (const auto& photo : audit.photos)
    if (samples[photo.sample].label == worst.label && photo.as == worst.as)
      finding.photos.push_back({samples[photo.sample].path});
  return finding;
}

Json to_json(const TransformAudit& audit, const std::vector<std::string>& classes) {
  Json json{{"transform", audit.transform}, {"confusions", Json::array()}};
  for (const auto& found : audit.confusions)
    json["confusions"].push_back({{"class", classes[static_cast<std::size_t>(found.label)]},
                                  {"as", classes[static_cast<std::size_t>(found.as)]},
                                  {"photos", found.photos},
                                  {"share", found.share},
                                  {"baseline", found.baseline}});
  return json;
}

void write_sheet(const TransformAudit& audit, const Samples& samples, const InputSpec& input,
                 const std::filesystem::path& path) {
  if (audit.photos.empty()) throw Error({"transform '" + audit.name() + "'", "confuses no photo", "", ""});
  constexpr std::int64_t kGap = 4;
  const std::int64_t side = input.size, cell = side + kGap, pair = 2 * cell + kGap;
  const auto count = static_cast<std::int64_t>(std::min(kPhotosOfASheet, audit.photos.size()));
  const std::int64_t rows = (count + kPairsOfARow - 1) / kPairsOfARow;
  const Augmentation augmentation = alone(audit.transform, input);
  at::Tensor sheet = at::full({rows * cell + kGap, std::min(count, kPairsOfARow) * pair + kGap, 3}, 255, at::kByte);
  for (std::int64_t i = 0; i < count; ++i) {
    const Sample& sample = samples[audit.photos[static_cast<std::size_t>(i)].sample];
    const std::int64_t y = i / kPairsOfARow * cell + kGap, x = i % kPairsOfARow * pair + kGap;
    const auto place = [&](std::int64_t left) { return sheet.narrow(0, y, side).narrow(1, left, side); };
    place(x).copy_(seen(sample, input, {}));
    place(x + cell).copy_(seen(sample, input, augmentation));
  }
  write_png(sheet, path);
}

}  // namespace graft
