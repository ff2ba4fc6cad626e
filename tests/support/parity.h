#pragma once
#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "graft/core/json.h"

namespace graft::test {

/// What a script of tests/parity wrote: tensors by name.
class ParityFixture {
 public:
  /// `name` is relative to the folder of fixtures, such as "optim/schedules.pt".
  /// @throws std::runtime_error that says how to make it when the file is missing.
  explicit ParityFixture(const std::string& name);

  /// @throws std::runtime_error when there is none.
  const at::Tensor& at(const std::string& key) const;
  bool has(const std::string& key) const { return tensors_.contains(key); }
  /// Every key, sorted.
  std::vector<std::string> names() const;
  /// JSON that was written as bytes.
  Json json(const std::string& key) const;
  /// What stands before "/SUFFIX" in the keys that end so, sorted.
  std::vector<std::string> cases(const std::string& suffix) const;

 private:
  std::string name_;
  std::map<std::string, at::Tensor> tensors_;
};

/// The largest difference of two tensors, relative to the largest magnitude of `expected` (at least 1e-30); infinite
/// when shapes differ or a value is not a number.
double relative_error(const at::Tensor& found, const at::Tensor& expected);

/// Takes down how far a technique ("adamw") of a family ("optimizers") is from its reference. The largest of a run,
/// with the test that found it, goes into the file that GRAFT_DIFFERENCES names; docs/techniques.md is written from
/// that.
/// @returns `difference`
double noted(const std::string& family, const std::string& name, double difference);
/// Writes that file, if one is named.
void write_differences();

}  // namespace graft::test
