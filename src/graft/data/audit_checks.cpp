#include "graft/data/audit_checks.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>

#include "graft/core/names.h"
#include "graft/data/labels.h"

namespace graft {
namespace {

namespace fs = std::filesystem;
using Photos = std::vector<std::vector<std::string>>;

constexpr int kSmallSide = 64;
constexpr double kImbalance = 10;

Split split_of(const Sample& sample) { return sample.split.value_or(Split::kTrain); }

/// Samples that hold the same bytes, two or more of them.
std::vector<std::vector<const Sample*>> copies(const Dataset& dataset) {
  std::vector<const Sample*> samples;
  samples.reserve(dataset.samples.size());
  for (const auto& sample : dataset.samples) samples.push_back(&sample);
  std::ranges::stable_sort(samples, {}, [](const Sample* sample) { return sample->hash; });
  std::vector<std::vector<const Sample*>> groups;
  for (auto first = samples.begin(); first != samples.end();) {
    const auto last =
        std::find_if(first, samples.end(), [&](const Sample* one) { return one->hash != (*first)->hash; });
    if (last - first > 1) groups.emplace_back(first, last);
    first = last;
  }
  return groups;
}

template <typename Key>
bool differ(const std::vector<const Sample*>& samples, const Key& key) {
  return std::any_of(samples.begin(), samples.end(),
                     [&](const Sample* sample) { return key(*sample) != key(*samples.front()); });
}

std::vector<std::string> paths_of(const std::vector<const Sample*>& samples) {
  std::vector<std::string> paths;
  for (const Sample* sample : samples) paths.push_back(sample->path);
  return paths;
}

/// The photos of which `holds` is true, each by itself.
template <typename Holds>
Photos photos_where(const Audit& audit, const Holds& holds) {
  Photos photos;
  for (std::size_t i = 0; i < audit.dataset.samples.size(); ++i)
    if (holds(audit.dataset.samples[i], audit.facts[i])) photos.push_back({audit.dataset.samples[i].path});
  return photos;
}

struct Found {
  std::string text;
  Photos photos;
};
using MaybeFound = std::optional<Found>;

MaybeFound about(Photos photos, const std::string& text) {
  return photos.empty() ? std::nullopt : MaybeFound({text, std::move(photos)});
}

std::string counted(std::size_t number, const std::string& of_one, const std::string& of_many) {
  return std::to_string(number) + " " + (number == 1 ? of_one : of_many);
}

MaybeFound find_unreadable(const Audit& audit) {
  Photos photos;
  for (const auto& image : audit.dataset.skipped) photos.push_back({image.path.string()});
  return about(photos, counted(photos.size(), "file cannot", "files cannot") + " be read as an image");
}

MaybeFound find_empty_classes(const Audit& audit) {
  const auto& classes = audit.dataset.classes;
  if (audit.dataset.task == Task::kRegression) return std::nullopt;
  if (classes.size() < fewest_classes(audit.dataset.task))
    return Found{classes.empty() ? "there are no classes" : "there is the one class '" + classes[0] + "'", {}};
  std::vector<std::string> empty;
  const auto counts = audit.dataset.class_counts(Split::kTrain);
  for (std::size_t label = 0; label < classes.size(); ++label)
    if (counts[label] == 0) empty.push_back("'" + classes[label] + "'");
  if (empty.empty()) return std::nullopt;
  return Found{"no readable training image in " + join(empty), {}};
}

MaybeFound find_two_labels(const Audit& audit) {
  Photos photos;
  for (const auto& samples : copies(audit.dataset))
    if (differ(samples, [&](const Sample& sample) { return label_text(audit.dataset, sample); }))
      photos.push_back(paths_of(samples));
  return about(photos, counted(photos.size(), "photo stands", "photos stand") + " under more than one label");
}

MaybeFound find_leaked(const Audit& audit) {
  Photos photos;
  for (const auto& samples : copies(audit.dataset))
    if (differ(samples, split_of)) photos.push_back(paths_of(samples));
  return about(photos,
               counted(photos.size(), "photo stands", "photos stand") + " in more than one of train, val and test");
}

MaybeFound find_parted_groups(const Audit& audit) {
  std::map<std::int32_t, std::vector<const Sample*>> groups;
  for (const auto& sample : audit.dataset.samples)
    if (sample.group) groups[*sample.group].push_back(&sample);
  std::vector<std::string> names;
  Photos photos;
  for (const auto& [group, samples] : groups) {
    if (!differ(samples, split_of)) continue;
    names.push_back("'" + audit.dataset.groups[static_cast<std::size_t>(group)] + "'");
    photos.push_back(paths_of(samples));
  }
  return about(photos, "photos of one group part between train, val and test: " + join(names));
}

MaybeFound find_duplicates(const Audit& audit) {
  Photos photos;
  for (const auto& samples : copies(audit.dataset))
    if (!differ(samples,
                [&](const Sample& sample) { return std::pair(label_text(audit.dataset, sample), split_of(sample)); }))
      photos.push_back(paths_of(samples));
  return about(photos, counted(photos.size(), "photo is", "photos are") + " there more than once");
}

MaybeFound find_extensions(const Audit& audit) {
  auto photos = photos_where(audit, [](const Sample& sample, const PhotoFacts& facts) {
    std::string extension = fs::path(sample.path).extension().string();
    std::transform(extension.begin(), extension.end(), extension.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    const auto& usual = extensions_of(facts.format);
    return std::find(usual.begin(), usual.end(), extension) == usual.end();
  });
  return about(photos, counted(photos.size(), "name does", "names do") + " not say what the file holds");
}

MaybeFound find_rotated(const Audit& audit) {
  auto photos = photos_where(audit, [](const Sample&, const PhotoFacts& facts) { return facts.orientation != 1; });
  return about(photos, counted(photos.size(), "photo is", "photos are") + " upright only by the EXIF orientation");
}

MaybeFound find_small(const Audit& audit) {
  auto photos = photos_where(
      audit, [](const Sample&, const PhotoFacts& facts) { return std::min(facts.height, facts.width) < kSmallSide; });
  return about(photos, counted(photos.size(), "photo has", "photos have") + " a side of less than " +
                           std::to_string(kSmallSide) + " pixels");
}

MaybeFound find_imbalance(const Audit& audit) {
  std::vector<std::pair<std::int64_t, std::string>> sizes;
  const auto counts = audit.dataset.class_counts(Split::kTrain);
  for (std::size_t label = 0; label < counts.size(); ++label)
    if (counts[label] > 0) sizes.emplace_back(counts[label], audit.dataset.classes[label]);
  if (sizes.empty()) return std::nullopt;
  const auto [least, most] = std::minmax_element(sizes.begin(), sizes.end());
  if (static_cast<double>(most->first) < kImbalance * static_cast<double>(least->first)) return std::nullopt;
  return Found{"class '" + most->second + "' has " + std::to_string(most->first) + " training images, '" +
                   least->second + "' has " + std::to_string(least->first),
               {}};
}

struct Row {
  const char* check;
  Severity severity;
  MaybeFound (*find)(const Audit& audit);
  const char* hint;
};
constexpr std::array<Row, 10> kChecks{{
    {"unreadable", Severity::kHarm, find_unreadable, "they are left out of training: replace or delete them"},
    {"empty_class", Severity::kHarm, find_empty_classes, "one folder, or one label, with photos for each class"},
    {"two_labels", Severity::kHarm, find_two_labels, "keep the copy whose label is right"},
    {"leaked", Severity::kHarm, find_leaked, "delete the copies: figures on photos that were trained on say nothing"},
    {"parted_group", Severity::kHarm, find_parted_groups, "give the photos of a group one split"},
    {"duplicate", Severity::kNote, find_duplicates, "each copy counts in training"},
    {"extension", Severity::kNote, find_extensions, "Graft goes by the content; other programs may not"},
    {"rotated", Severity::kNote, find_rotated, "Graft turns them upright; other programs may not"},
    {"small", Severity::kNote, find_small, "they are enlarged to the backbone's input"},
    {"imbalance", Severity::kNote, find_imbalance,
     "data.balance \"loss\" weighs classes alike; judge by balanced_accuracy"},
}};

}  // namespace

std::vector<Finding> find_in(const Audit& audit) {
  std::vector<Finding> findings;
  for (const auto& row : kChecks)
    if (MaybeFound found = row.find(audit))
      findings.push_back({row.check, row.severity, std::move(found->text), row.hint, std::move(found->photos)});
  return findings;
}

}  // namespace graft
