#include "graft/artifact/artifact.h"

#include <map>

#include "graft/core/error.h"
#include "graft/core/hash.h"
#include "graft/core/torchscript_file.h"

namespace graft {

Artifact load_artifact(const std::filesystem::path& path, Trust trust) {
  std::map<std::string, std::string> extra{{kMetadataFile, ""}};
  const std::string subject = "artifact '" + path.string() + "'";
  Artifact artifact;
  artifact.module = load_torchscript(path, "artifact", trust, &extra);
  if (extra[kMetadataFile].empty())
    throw Error({subject, "holds no graft.json: it was not exported by Graft", "a model.pt of graft train",
                 "graft inspect shows what it is"});
  artifact.metadata = read_metadata(extra[kMetadataFile], subject);
  for (const char* method : {"forward", "logits", "features", "preprocess"})
    if (!artifact.module.find_method(method))
      throw Error({subject, std::string("has no method ") + method, "a model.pt of graft train", ""});
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
  Sha256 hash;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor bytes = tensor.detach().cpu().contiguous();
    hash.update(name).update(" ").update(c10::toString(bytes.scalar_type()));
    for (const auto size : bytes.sizes()) hash.update(" ").update(std::to_string(size));
    hash.update("\n").update(std::string_view(static_cast<const char*>(bytes.data_ptr()), bytes.nbytes()));
  }
  return hash.hex();
}

}  // namespace graft
