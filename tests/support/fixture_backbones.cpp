#include "support/fixture_backbones.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/pickle.h>
#include <torch/types.h>

#include <algorithm>
#include <stdexcept>

#include "graft/core/files.h"

namespace graft::test {
namespace {

const std::filesystem::path kFolder = GRAFT_FIXTURES_DIR;

}  // namespace

std::filesystem::path FixtureBackbone::file() const { return kFolder / (name + "." + kind + ".pt"); }

std::map<std::string, at::Tensor> FixtureBackbone::reference() const {
  const std::string bytes = read_file(kFolder / (name + ".reference.pt"));
  std::map<std::string, at::Tensor> tensors;
  const auto content = torch::jit::pickle_load({bytes.begin(), bytes.end()}).toGenericDict();
  for (const auto& entry : content) tensors[entry.key().toStringRef()] = entry.value().toTensor();
  return tensors;
}

std::vector<FixtureBackbone> fixture_backbones() {
  std::vector<FixtureBackbone> found;
  if (std::filesystem::exists(kFolder))
    for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
      const std::string file = entry.path().filename().string();
      for (const std::string kind : {"scripted", "traced", "scripted_frozen", "traced_frozen"})
        if (file.ends_with("." + kind + ".pt")) found.push_back({file.substr(0, file.size() - kind.size() - 4), kind});
    }
  if (found.empty()) throw std::runtime_error("no backbones in " + kFolder.string() + ": run scripts/setup test");
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.name + a.kind < b.name + b.kind; });
  return found;
}

}  // namespace graft::test
