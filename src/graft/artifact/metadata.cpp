#include "graft/artifact/metadata.h"

#include "graft/artifact/precision.h"
#include "graft/core/error.h"

namespace graft {
namespace {

Json member_or_empty(JsonReader& reader, const std::string& key) {
  const Json* found = reader.member(key);
  return found == nullptr ? Json::object() : *found;
}

}  // namespace

Json to_json(const ArtifactMetadata& metadata) {
  return {{"graft_artifact", kArtifactFormat},
          {"task", metadata.task},
          {"precision", metadata.precision},
          {"classes", metadata.classes},
          {"input", to_json(metadata.input)},
          {"num_features", metadata.num_features},
          {"head", metadata.recipe.value("head", Json::array())},
          {"recipe", metadata.recipe},
          {"metrics", metadata.metrics},
          {"backbone", metadata.backbone},
          {"data", metadata.data},
          {"versions", metadata.versions},
          {"tensors_sha256", metadata.tensors_sha256}};
}

ArtifactMetadata read_metadata(const std::string& text, const std::string& subject) {
  const Json json = parse_json(text, subject);
  std::vector<Problem> problems;
  JsonReader reader(json, "", problems);
  const auto format = reader.integer("graft_artifact", 0);
  if (format != kArtifactFormat)
    throw Error({subject, "is an artifact of format " + std::to_string(format),
                 "format " + std::to_string(kArtifactFormat),
                 format > kArtifactFormat ? "update Graft" : "export its run anew: graft export RUN"});
  ArtifactMetadata metadata;
  metadata.task = reader.string("task", "");
  metadata.precision = reader.choice("precision", metadata.precision, precision_names());
  metadata.classes = reader.strings("classes", {});
  metadata.input = read_input_spec(reader.object("input"), {});
  metadata.num_features = reader.integer("num_features", 0, Range::at_least(1));
  reader.member("head");
  metadata.recipe = member_or_empty(reader, "recipe");
  metadata.metrics = member_or_empty(reader, "metrics");
  metadata.backbone = member_or_empty(reader, "backbone");
  metadata.data = member_or_empty(reader, "data");
  metadata.versions = member_or_empty(reader, "versions");
  metadata.tensors_sha256 = reader.string("tensors_sha256", "");
  reader.finish();
  if (metadata.classes.empty()) reader.problem("classes", "is empty", "the names of the classes");
  for (auto& problem : problems) problem.subject = subject + " " + problem.subject;
  if (!problems.empty()) throw Error(problems);
  return metadata;
}

}  // namespace graft
