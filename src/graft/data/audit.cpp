#include "graft/data/audit.h"

#include <algorithm>
#include <array>

#include "graft/core/error.h"
#include "graft/data/audit_checks.h"
#include "graft/data/examine.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

void look_at_all(Audit& audit, const AuditOptions& options) {
  const std::size_t total = audit.dataset.samples.size();
  std::size_t done = 0;
  examine_samples(audit.dataset, options.workers, examine_file, [&](const Sample&, const Examined& examined) {
    if (options.progress) options.progress(++done, total);
    if (examined.problem.empty()) audit.facts.push_back(examined.facts);
  });
}

Json statistics(std::vector<int> sides) {
  if (sides.empty()) return Json::object();
  std::sort(sides.begin(), sides.end());
  return {{"min", sides.front()}, {"median", sides[sides.size() / 2]}, {"max", sides.back()}};
}

Json sizes_json(const std::vector<PhotoFacts>& facts) {
  std::vector<int> shorter, longer;
  for (const auto& photo : facts) {
    shorter.push_back(std::min(photo.height, photo.width));
    longer.push_back(std::max(photo.height, photo.width));
  }
  return {{"shorter", statistics(std::move(shorter))}, {"longer", statistics(std::move(longer))}};
}

Json finding_json(const Finding& finding) {
  return {{"check", finding.check},
          {"severity", finding.severity == Severity::kHarm ? "harm" : "note"},
          {"text", finding.text},
          {"hint", finding.hint},
          {"photos", finding.photos}};
}

}  // namespace

bool Audit::harmful() const {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.severity == Severity::kHarm; });
}

Audit audit_data(const fs::path& path, const AuditOptions& options) {
  Audit audit;
  audit.dataset = list_dataset(path, options.labels);
  look_at_all(audit, options);
  if (!audit.dataset.has(Split::kVal)) split_by_hash(audit.dataset.samples, options.val, options.labels.task);
  audit.findings = find_in(audit);
  return audit;
}

Json to_json(const Audit& audit) {
  Json json{{"images", Json::object()}, {"classes", Json::array()}};
  constexpr std::array kSplits{Split::kTrain, Split::kVal, Split::kTest};
  const Dataset& dataset = audit.dataset;
  const bool has_classes = dataset.task != Task::kRegression;
  for (std::size_t label = 0; has_classes && label < dataset.classes.size(); ++label)
    json["classes"].push_back({{"class", dataset.classes[label]}});
  for (const Split split : kSplits) {
    const Samples samples = dataset.of(split);
    json["images"][to_string(split)] = samples.size();
    const auto counts = dataset.class_counts(samples);
    for (std::size_t label = 0; label < json["classes"].size(); ++label)
      json["classes"][label][to_string(split)] = counts[label];
  }
  json["images"]["unreadable"] = dataset.skipped.size();
  json["sizes"] = sizes_json(audit.facts);
  json["findings"] = Json::array();
  for (const auto& finding : audit.findings) json["findings"].push_back(finding_json(finding));
  return json;
}

}  // namespace graft
