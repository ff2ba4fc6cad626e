#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "graft/core/json.h"
#include "graft/image/input_spec.h"

namespace graft {

/// What an artifact says of itself: its extra file graft.json. Holds no path of anyone's machine.
struct ArtifactMetadata {
  std::string task = "single_label";
  std::string precision = "fp32";    ///< see Precision
  std::vector<std::string> classes;  ///< or the names of what a regression gives
  InputSpec input;
  std::int64_t num_features = 0;
  Json recipe = Json::object();    ///< of the run
  Json metrics = Json::object();   ///< {"val": …, "test": …} as measured on the exported file
  Json backbone = Json::object();  ///< {"name", "sha256", "license"}
  Json data = Json::object();      ///< {"name", "images": {"train", "val", "test"}, "skipped"}
  Json versions = Json::object();  ///< {"graft", "torch"}
  std::string tensors_sha256;      ///< see tensors_digest

  /// Whether it answers with numbers in a unit of their own, not with probabilities.
  bool gives_values() const { return task == "regression"; }
};

/// From 2 on the last step to the answers is a module of the file, `answer`.
inline constexpr int kArtifactFormat = 2;
inline constexpr char kMetadataFile[] = "graft.json";

Json to_json(const ArtifactMetadata& metadata);
/// @throws Error when something is missing, wrong or of another format. `subject` names the file.
ArtifactMetadata read_metadata(const std::string& text, const std::string& subject);

}  // namespace graft
