#include "graft/artifact/precision.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <array>

#include "graft/core/names.h"

namespace graft {
namespace {

const std::array<Precision, 3>& table() {
  static const std::array<Precision, 3> kTable{
      {{"fp32", at::kFloat, 1e-4, 1e-4}, {"bf16", at::kBFloat16, 0.16, 0.08}, {"fp16", at::kHalf, 0.02, 0.01}}};
  return kTable;
}

}  // namespace

const std::vector<std::string>& precision_names() {
  static const std::vector<std::string> kNames = names_of(table());
  return kNames;
}

const Precision& precision_of(const std::string& name) {
  const auto row = std::find_if(table().begin(), table().end(), [&](const auto& other) { return other.name == name; });
  TORCH_CHECK(row != table().end(), "no precision is called '", name, "'");
  return *row;
}

}  // namespace graft
