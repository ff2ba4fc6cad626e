#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "graft/backbone/frozen_engine.h"
#include "graft/core/json.h"

namespace graft {

/// Remembers which engine a search found fastest, a file a question, so that it is asked once on a machine.
class EngineVerdicts {
 public:
  /// @param folder  made when there is something to remember; "" remembers nothing
  explicit EngineVerdicts(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// The best engine that was found, for the layers and whatever else of `question` decides the answer; the processor
  /// and the versions of Graft and LibTorch are part of every question.
  std::optional<EnginePlan> find(const Json& question) const;
  /// @throws Error where the folder cannot be written.
  void keep(const Json& question, const std::vector<EngineTrial>& trials) const;

 private:
  std::filesystem::path file(Json question) const;

  std::filesystem::path folder_;
};

}  // namespace graft
