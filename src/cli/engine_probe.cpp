#include "engine_probe.h"

#include "child_process.h"
#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/hash.h"
#include "graft/core/runtime.h"
#include "home.h"

namespace graft::cli {
namespace {

namespace fs = std::filesystem;

/// A search takes seconds; a large network on a busy machine may take a few minutes.
constexpr std::chrono::seconds kPatience{300};

/// Everything that decides the answer: the file's content, not its name, and not which photos are compared.
std::string key_of(const EngineQuery& query) {
  Json json = to_json(query);
  json.erase("images");
  json["backbone"] = sha256_file(query.backbone);
  json["machine"] = cpu_name();
  json["versions"] = {graft_version(), torch_version()};
  return sha256(json.dump());
}

std::optional<EnginePlan> best_of(const Json& answer) {
  for (const auto& trial : answer.value("trials", Json::array()))
    if (trial.at("failure") == "")
      return EnginePlan{trial.at("engine").get<std::string>(), trial.at("exact").get<std::size_t>()};
  return std::nullopt;
}

}  // namespace

Json to_json(const EngineQuery& query) {
  Json images = Json::array();
  for (const auto& image : query.images) images.push_back(fs::absolute(image).string());
  return {{"backbone", fs::absolute(query.backbone).string()},
          {"features", query.options.features.path},
          {"classifier", classifier_choice_names()[static_cast<std::size_t>(query.options.features.classifier)]},
          {"pool", graft::to_json(query.options.pool)},
          {"trust", query.options.trust == Trust::kAnything},
          {"from", query.from},
          {"to", query.to},
          {"input", graft::to_json(query.input)},
          {"images", images},
          {"bfloat16", query.bfloat16},
          {"workers", query.workers}};
}

EngineQuery read_engine_query(const Json& json) {
  std::vector<Problem> problems;
  JsonReader reader(json, "", problems);
  EngineQuery query;
  query.backbone = reader.string("backbone", "");
  query.options.features = {reader.string("features", ""),
                            classifier_choice(reader.choice("classifier", "auto", classifier_choice_names()))};
  if (const Json* pool = reader.member("pool")) query.options.pool = read_pool_spec(*pool, "pool", problems);
  query.options.trust = reader.boolean("trust", false) ? Trust::kAnything : Trust::kScan;
  query.from = static_cast<std::size_t>(reader.integer("from", 0, Range::at_least(0)));
  query.to = static_cast<std::size_t>(reader.integer("to", 0, Range::at_least(0)));
  query.input = read_input_spec(reader.object("input"), {});
  query.options.image_size = query.input.size;
  for (const auto& image : reader.strings("images", {})) query.images.emplace_back(image);
  query.bfloat16 = reader.boolean("bfloat16", true);
  query.workers = static_cast<int>(reader.integer("workers", 1, Range::between(1, 1024)));
  reader.finish();
  if (query.images.empty()) reader.problem("images", "are none", "at least one to compare engines on");
  if (!problems.empty()) throw Error(problems);
  return query;
}

ChildEngineProbe ChildEngineProbe::of_this_program() { return {"/proc/self/exe", cache_folder() / "engines"}; }

std::optional<EnginePlan> ChildEngineProbe::operator()(const EngineQuery& query, bool worth_it) const {
  const fs::path remembered = folder_ / (key_of(query) + ".json");
  if (fs::exists(remembered)) return best_of(read_json_file(remembered));
  if (!worth_it) return std::nullopt;
  const auto answer = ask_child(query);
  if (!answer) return std::nullopt;
  fs::create_directories(folder_);
  replace_file(remembered, answer->dump(1) + "\n");
  return best_of(*answer);
}

std::optional<Json> ChildEngineProbe::ask_child(const EngineQuery& query) const {
  const ChildResult result = run_child({program_.string(), "find-engine", to_json(query).dump()}, kPatience);
  if (result.timed_out) return Json{{"failure", "did not end"}};
  if (result.signal != 0) return Json{{"failure", "crashed with signal " + std::to_string(result.signal)}};
  if (result.exit_code != 0) return std::nullopt;  // of these photos or of this moment, not of the network
  return parse_json(result.output, "answer of find-engine");
}

}  // namespace graft::cli
