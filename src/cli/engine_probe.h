#pragma once
#include <filesystem>
#include <optional>

#include "graft/train/frozen_engines.h"

namespace graft::cli {

/// A query as the child process is asked it.
Json to_json(const EngineQuery& query);
/// @throws Error when the text is no query.
EngineQuery read_engine_query(const Json& json);

/// Finds engines in child processes of a program, and remembers in a folder what each found on this CPU: a child that
/// crashed is not started again.
class ChildEngineProbe {
 public:
  /// @param program  answers `program find-engine QUERY`; this program itself but in tests
  /// @param folder   of what is remembered, made when there is something to remember
  ChildEngineProbe(std::filesystem::path program, std::filesystem::path folder)
      : program_(std::move(program)), folder_(std::move(folder)) {}

  /// This program, and graft/engines under $XDG_CACHE_HOME or ~/.cache.
  static ChildEngineProbe of_this_program();

  /// An EngineProbe. Nothing when the child crashed, hung or found nothing.
  std::optional<EnginePlan> operator()(const EngineQuery& query, bool worth_it) const;

 private:
  /// What is worth remembering.
  std::optional<Json> ask_child(const EngineQuery& query) const;

  std::filesystem::path program_;
  std::filesystem::path folder_;
};

}  // namespace graft::cli
