#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <ostream>
#include <string>
#include <vector>

namespace graft::test {

/// A backbone that tests/fixtures/export_backbones.py made.
struct FixtureBackbone {
  std::string name;
  std::string kind;  ///< "scripted", "traced", "scripted_frozen" or "traced_frozen"
  bool is_frozen() const { return kind.ends_with("_frozen"); }
  std::filesystem::path file() const;
  /// images, images3, logits, features, features3 as Python computed them.
  std::map<std::string, at::Tensor> reference() const;
};

/// How GoogleTest names one in its output.
inline void PrintTo(const FixtureBackbone& backbone, std::ostream* out) {
  *out << backbone.name << " " << backbone.kind;
}

/// All of them. Fails when none was made.
std::vector<FixtureBackbone> fixture_backbones();

}  // namespace graft::test
