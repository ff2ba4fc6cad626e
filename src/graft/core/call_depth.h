#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace graft {

/// A class or a free function of a program's sources.
struct Definition {
  std::int64_t functions = 0;        ///< how many it defines
  std::set<std::string> mentions{};  ///< qualified names that stand in it
};

/// The largest number of functions that compiling one may bring with it, one inside the other: LibTorch compiles a
/// function where it first meets its name, and each takes its share of the stack. Definitions that need each other
/// count together.
std::int64_t call_depth(const std::map<std::string, Definition>& definitions);

}  // namespace graft
