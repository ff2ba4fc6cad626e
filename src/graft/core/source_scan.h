#pragma once
#include <map>
#include <optional>
#include <string>

namespace graft {

/// Why a TorchScript program is refused. The kinds are in order of what explains a file best.
struct Refusal {
  enum class Kind { kQuantised, kOptimised, kOperator } kind;
  std::string found;
};

/// Says no in a user's words. `subject` names the file.
[[noreturn]] void throw_refused(const std::string& subject, const Refusal& refusal);

/// The sources of a TorchScript program: record name ("code/__torch__/net.py") to text.
using Sources = std::map<std::string, std::string>;

/// Reads the sources with LibTorch's own lexer and refuses what would run while the file is loaded (`__setstate__`,
/// computed defaults), what reaches outside the network (files, processes, operators that are not in the table), and
/// what is nested or chained deeply enough to overflow LibTorch's recursive compiler.
/// @returns nothing when all may be compiled.
std::optional<Refusal> scan_sources(const Sources& sources);

}  // namespace graft
