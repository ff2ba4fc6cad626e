#include "graft/data/audit.h"

#include <algorithm>
#include <array>

#include "graft/core/error.h"
#include "graft/core/parallel.h"
#include "graft/data/audit_checks.h"
#include "graft/data/examine.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

void look_at_all(Audit& audit, const AuditOptions& options) {
  std::vector<Sample> readable;
  const std::size_t total = audit.dataset.samples.size();
  OrderedParallel<Examined>::run(
      total, options.workers, [&](std::size_t i) { return examine_file(audit.dataset.samples[i].path); },
      [&](std::size_t i, Examined examined) {
        auto& sample = audit.dataset.samples[i];
        if (options.progress) options.progress(i + 1, total);
        if (!examined.problem.empty()) {
          audit.dataset.skipped.push_back({sample.path, examined.problem});
          return;
        }
        sample.hash = std::move(examined.hash);
        readable.push_back(std::move(sample));
        audit.facts.push_back(examined.facts);
      });
  audit.dataset.samples = std::move(readable);
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
  Json json{{"check", finding.check},
            {"severity", finding.severity == Severity::kHarm ? "harm" : "note"},
            {"text", finding.text},
            {"hint", finding.hint},
            {"photos", Json::array()}};
  for (const auto& group : finding.photos) {
    Json paths = Json::array();
    for (const auto& path : group) paths.push_back(path.string());
    json["photos"].push_back(std::move(paths));
  }
  return json;
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
  for (const Split split : kSplits)
    json["images"][to_string(split)] = std::ranges::count_if(
        audit.dataset.samples, [&](const Sample& sample) { return sample.split.value_or(Split::kTrain) == split; });
  const bool has_classes = audit.dataset.task != Task::kRegression;
  for (std::size_t label = 0; has_classes && label < audit.dataset.classes.size(); ++label) {
    Json row{{"class", audit.dataset.classes[label]}};
    for (const Split split : kSplits) row[to_string(split)] = images_of(audit.dataset, label, split);
    json["classes"].push_back(std::move(row));
  }
  json["images"]["unreadable"] = audit.dataset.skipped.size();
  json["sizes"] = sizes_json(audit.facts);
  json["findings"] = Json::array();
  for (const auto& finding : audit.findings) json["findings"].push_back(finding_json(finding));
  return json;
}

}  // namespace graft
