#include "graft/artifact/artifact.h"

#include <map>

#include "graft/core/error.h"
#include "graft/core/hash.h"
#include "graft/core/torchscript_file.h"

namespace graft {

Artifact load_artifact(const std::filesystem::path& path, Trust trust, const std::string& role) {
  std::map<std::string, std::string> extra{{kMetadataFile, ""}};
  const std::string subject = role + " '" + path.string() + "'";
  Artifact artifact;
  artifact.module = load_torchscript(path, role, trust, &extra);
  if (extra[kMetadataFile].empty())
    throw Error({subject, "holds no graft.json: it was not exported by Graft", "a model.pt of graft train",
                 "graft inspect shows what it is"});
  artifact.metadata = read_metadata(extra[kMetadataFile], subject);
  for (const char* method : {"forward", "logits", "features", "preprocess"})
    if (!artifact.module.find_method(method))
      throw Error({subject, std::string("has no method ") + method, "a model.pt of graft train", ""});
  for (const char* part : {"head", "answer"})
    if (!artifact.module.hasattr(part))
      throw Error({subject, std::string("has no module ") + part, "a model.pt of graft train", ""});
  artifact.module.eval();
  return artifact;
}

bool is_artifact(const std::filesystem::path& path, const std::string& role) {
  return has_extra_file(path, role, kMetadataFile);
}

std::string tensors_digest(const torch::jit::Module& module) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& attribute : module.named_attributes())
    if (attribute.value.isTensor()) tensors[attribute.name] = attribute.value.toTensor();
  return sha256(tensors);
}

}  // namespace graft
