#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "graft/core/json.h"
#include "graft/data/dataset.h"
#include "graft/image/photo_facts.h"

namespace graft {

enum class Severity {
  kHarm,  ///< training on it as it is would fail, learn something wrong, or be measured wrongly
  kNote,  ///< good to know
};

/// One thing that was found in the data.
struct Finding {
  std::string check;  ///< its name in the table of audit_checks.cpp, such as "leaked"
  Severity severity = Severity::kNote;
  std::string text;  ///< what was found, for people
  std::string hint;  ///< what to do; may be empty
  /// The photos it is about, those that belong together (copies of one photo) in one group.
  std::vector<std::vector<std::string>> photos;
};

struct Audit {
  Dataset dataset;                ///< split as training would; without what cannot be read
  std::vector<PhotoFacts> facts;  ///< of each sample
  std::vector<Finding> findings;  ///< harm first
  bool harmful() const;
};

struct AuditOptions {
  double val = DatasetOptions{}.val;  ///< part of each class that validates where the data does not say
  int workers = 1;
  LabelOptions labels{};
  /// Called with the number of images done and how many there are; may be empty.
  std::function<void(std::size_t done, std::size_t total)> progress{};
};

/// Looks at every image of a folder or a table as load_dataset takes them, and at all of them together. Copies are told
/// by the hash of their bytes.
/// @throws Error only where there is no such data to look at: what training would refuse is a finding.
Audit audit_data(const std::filesystem::path& path, const AuditOptions& options);

/// {"images": {"train", "val", "test", "unreadable"}, "classes": [{"class", "train", "val", "test"}], "sizes":
/// {"shorter", "longer": {"min", "median", "max"}}, "findings": [{"check", "severity", "text", "hint", "photos"}]};
/// sizes in pixels.
Json to_json(const Audit& audit);

}  // namespace graft
