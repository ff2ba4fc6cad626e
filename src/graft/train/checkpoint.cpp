#include "graft/train/checkpoint.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/pickle.h>
#include <torch/types.h>

#include "graft/core/error.h"
#include "graft/core/files.h"

namespace graft {
namespace {

constexpr const char* kState = "state.json";
constexpr const char* kFormatKey = "graft_checkpoint";
constexpr int kCheckpointFormat = 3;

at::Tensor bytes_of(const std::string& text) {
  return torch::from_blob(const_cast<char*>(text.data()), {static_cast<std::int64_t>(text.size())}, at::kByte).clone();
}

std::string text_of(const at::Tensor& bytes) {
  return {static_cast<const char*>(bytes.contiguous().data_ptr()), bytes.nbytes()};
}

}  // namespace

std::map<std::string, at::Tensor> Checkpoint::under(const std::string& prefix) const {
  std::map<std::string, at::Tensor> found;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with(prefix + "/")) found[name.substr(prefix.size() + 1)] = tensor;
  return found;
}

void Checkpoint::put(const std::string& prefix, const std::map<std::string, at::Tensor>& values) {
  for (const auto& [name, tensor] : values) tensors[prefix + "/" + name] = tensor;
}

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  c10::Dict<std::string, at::Tensor> content;
  Json state = checkpoint.state;
  state[kFormatKey] = kCheckpointFormat;
  content.insert(kState, bytes_of(state.dump()));
  for (const auto& [name, tensor] : checkpoint.tensors) content.insert(name, tensor.detach().cpu());
  const auto bytes = torch::jit::pickle_save(content);
  replace_file(path, std::string_view(bytes.data(), bytes.size()));
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  const std::string subject = "checkpoint '" + path.string() + "'";
  const std::string bytes = read_file(path);
  Checkpoint checkpoint;
  try {
    const auto content = torch::jit::pickle_load({bytes.begin(), bytes.end()}).toGenericDict();
    for (const auto& entry : content) checkpoint.tensors[entry.key().toStringRef()] = entry.value().toTensor();
  } catch (const std::exception&) {
    throw Error({subject, "is damaged or no checkpoint", "a checkpoint that graft train wrote", ""});
  }
  const auto state = checkpoint.tensors.extract(kState);
  if (state.empty()) throw Error({subject, "holds no state", "a checkpoint that graft train wrote", ""});
  checkpoint.state = parse_json(text_of(state.mapped()), subject);
  if (const Json format = checkpoint.state.value(kFormatKey, Json()); format != kCheckpointFormat)
    throw Error({subject, "is of format " + format.dump(), std::to_string(kCheckpointFormat),
                 "go on with the version of graft that started the run"});
  return checkpoint;
}

}  // namespace graft
