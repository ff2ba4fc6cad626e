#include "graft/train/engine_verdicts.h"

#include "graft/core/files.h"
#include "graft/core/hash.h"
#include "graft/core/runtime.h"

namespace graft {

std::optional<EnginePlan> EngineVerdicts::find(const Json& question) const {
  if (folder_.empty() || !std::filesystem::exists(file(question))) return std::nullopt;
  for (const auto& trial : read_json_file(file(question)).value("trials", Json::array()))
    if (trial.at("failure") == "")
      return EnginePlan{trial.at("engine").get<std::string>(), trial.at("exact").get<std::size_t>()};
  return std::nullopt;
}

void EngineVerdicts::keep(const Json& question, const std::vector<EngineTrial>& trials) const {
  if (folder_.empty()) return;
  Json list = Json::array();
  for (const auto& trial : trials)
    list.push_back({{"engine", trial.plan.kind},
                    {"exact", trial.plan.exact_until},
                    {"error", trial.error.error},
                    {"cosine", trial.error.cosine},
                    {"rows_a_second", trial.rows_per_second},
                    {"failure", trial.failure}});
  std::filesystem::create_directories(folder_);
  replace_file(file(question), Json{{"trials", list}}.dump(1) + "\n");
}

std::filesystem::path EngineVerdicts::file(Json question) const {
  question["machine"] = cpu_name();
  question["versions"] = {graft_version(), torch_version()};
  return folder_ / (sha256(question.dump()) + ".json");
}

}  // namespace graft
