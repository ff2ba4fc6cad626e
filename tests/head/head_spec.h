#pragma once
#include "graft/core/error.h"
#include "graft/head/head_spec.h"

namespace graft::test {

/// @throws Error with every problem.
inline HeadSpec head_spec(const Json& json) {
  std::vector<Problem> problems;
  HeadSpec spec = read_head_spec(json, "head", problems);
  if (!problems.empty()) throw Error(std::move(problems));
  return spec;
}

}  // namespace graft::test
